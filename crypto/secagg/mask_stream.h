#pragma once
// A mask: the ChaCha20 stream (RFC 8439, nonce 0, from block 0) of a 256-bit key, as little-endian
// u32 words. Added to and subtracted from words modulo 2^32; a narrower modulus divides that.

#include <cstdint>
#include <span>

#include "crypto/secagg/agreement.h"

namespace freshet::secagg {

struct MaskKey {
  KeyView key;
  bool add;  // else subtract
};

// words[i] +- word first_word + i of every key's stream. Goes through the words once, in blocks
// that stay in the cache. REQUIRES: first_word % 16 == 0.
void apply_masks(std::span<std::uint32_t> words, std::span<const MaskKey> keys,
                 std::size_t first_word = 0);

// Keeps the low `bits` of every word. REQUIRES: 1 <= bits <= 32.
void keep_bits(std::span<std::uint32_t> words, int bits);

}  // namespace freshet::secagg
