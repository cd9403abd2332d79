#pragma once
// Words as a stream of k-bit little-endian fields: word i takes bits [i*k, (i+1)*k), bit j of the
// stream is bit j % 8 of byte j / 8, and what is left of the last byte is zero. One form per
// vector: unpack refuses every other.

#include <cstdint>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace freshet {

std::size_t packed_bytes(std::size_t words, int bits);

// REQUIRES: 1 <= bits <= 32, and every word below 2^bits.
Bytes pack(std::span<const std::uint32_t> words, int bits);

// kBadInput when the length is not packed_bytes(words, bits) or a padding bit is set. REQUIRES: 1
// <= bits <= 32.
Result<std::vector<std::uint32_t>> unpack(ByteView packed, std::size_t words, int bits);

// Whether unpack() would take it.
Result<void> check_packed(ByteView packed, std::size_t words, int bits);

// sum[i] = (sum[i] + word i) mod 2^bits, with no copy of the words. As unpack() otherwise; on an
// error the sum is as before.
Result<void> add_packed_words(std::span<std::uint32_t> sum, ByteView packed, int bits);

}  // namespace freshet
