#pragma once
// ChaCha20 for sixteen blocks at a time, added to or subtracted from words as it is made, where the
// processor has AVX-512. The library's own code makes two blocks in the same time.

#include <cstddef>
#include <cstdint>

#include "crypto/secagg/agreement.h"

namespace freshet::secagg {

inline constexpr std::size_t kWideWords = 256;  // of sixteen blocks

bool has_wide_chacha();

// words[i] +- word i of the stream (nonce 0) from `block` on. REQUIRES: has_wide_chacha(), and
// `count` a multiple of kWideWords.
void apply_wide_chacha(std::uint32_t* words, std::size_t count, KeyView key, std::uint32_t block,
                       bool add);

}  // namespace freshet::secagg
