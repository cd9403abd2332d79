#include "crypto/secagg/chacha_wide.h"

#include <array>
#include <cstring>

#include "base/check.h"
#include "crypto/sodium.h"

namespace freshet::secagg {

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)

namespace {

#define FRESHET_WIDE __attribute__((target("avx512f")))
#define FRESHET_WIDE_INLINE __attribute__((target("avx512f"), always_inline)) inline

typedef std::uint32_t Lanes __attribute__((vector_size(64)));  // one state word of sixteen blocks

template <int kBits>
FRESHET_WIDE_INLINE void rotate(Lanes& x) {
  x = x << kBits | x >> (32 - kBits);
}

FRESHET_WIDE_INLINE void quarter_round(Lanes& a, Lanes& b, Lanes& c, Lanes& d) {
  a += b, d ^= a, rotate<16>(d);
  c += d, b ^= c, rotate<12>(b);
  a += b, d ^= a, rotate<8>(d);
  c += d, b ^= c, rotate<7>(b);
}

// Of rows i and i + kApart: the elements whose column has the bit kApart change places over the
// diagonal. Four such steps transpose the whole.
template <int kApart>
FRESHET_WIDE_INLINE void swap_off_diagonal(Lanes* rows) {
  Lanes low, high;
  for (int i = 0; i < 16; ++i) {
    low[i] = static_cast<std::uint32_t>(i & kApart ? i - kApart + 16 : i);
    high[i] = static_cast<std::uint32_t>(i & kApart ? i + 16 : i + kApart);
  }
  for (int i = 0; i < 16; ++i) {
    if (i & kApart) continue;
    const Lanes a = rows[i], b = rows[i + kApart];
    rows[i] = __builtin_shuffle(a, b, low);
    rows[i + kApart] = __builtin_shuffle(a, b, high);
  }
}

FRESHET_WIDE void apply(std::uint32_t* words, std::size_t count, const std::uint32_t* key,
                        std::uint32_t block, bool add) {
  const Lanes zero = {}, ahead = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  const std::uint32_t text[4] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
  Lanes start[16], x[16];
  for (int i = 0; i < 4; ++i) start[i] = zero + text[i];
  for (int i = 0; i < 8; ++i) start[4 + i] = zero + key[i];
  for (int i = 13; i < 16; ++i) start[i] = zero;
  for (std::size_t at = 0; at < count; at += kWideWords, block += 16) {
    start[12] = ahead + block;
    for (int i = 0; i < 16; ++i) x[i] = start[i];
    for (int round = 0; round < 10; ++round) {
      for (int i = 0; i < 4; ++i) quarter_round(x[i], x[4 + i], x[8 + i], x[12 + i]);
      quarter_round(x[0], x[5], x[10], x[15]);
      quarter_round(x[1], x[6], x[11], x[12]);
      quarter_round(x[2], x[7], x[8], x[13]);
      quarter_round(x[3], x[4], x[9], x[14]);
    }
    for (int i = 0; i < 16; ++i) x[i] += start[i];
    swap_off_diagonal<8>(x);
    swap_off_diagonal<4>(x);
    swap_off_diagonal<2>(x);
    swap_off_diagonal<1>(x);
    for (int i = 0; i < 16; ++i) {
      Lanes out;
      std::memcpy(&out, words + at + 16 * i, sizeof out);
      out = add ? out + x[i] : out - x[i];
      std::memcpy(words + at + 16 * i, &out, sizeof out);
    }
  }
  sodium_memzero(start, sizeof start);
  sodium_memzero(x, sizeof x);
}

}  // namespace

bool has_wide_chacha() {
  static const bool kHas = __builtin_cpu_supports("avx512f");
  return kHas;
}

void apply_wide_chacha(std::uint32_t* words, std::size_t count, KeyView key, std::uint32_t block,
                       bool add) {
  CHECK(count % kWideWords == 0, "{} words", count);
  std::array<std::uint32_t, 8> words_of_key;
  std::memcpy(words_of_key.data(), key.data(), sizeof words_of_key);
  apply(words, count, words_of_key.data(), block, add);
  sodium_memzero(words_of_key.data(), sizeof words_of_key);
}

#else

bool has_wide_chacha() { return false; }
void apply_wide_chacha(std::uint32_t*, std::size_t, KeyView, std::uint32_t, bool) {
  CHECK(false, "this processor has no AVX-512");
}

#endif

}  // namespace freshet::secagg
