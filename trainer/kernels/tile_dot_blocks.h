// Included by tile_dot.h alone, where there is AVX-512: rows of W whose columns share scales, times
// one x.

#include "trainer/kernels/tile_vector.h"

namespace freshet::kernels {
namespace {

// Whole blocks of 64 columns, not yet scaled: 16 sums whose sum it is.
struct Int8Blocks {
  explicit Int8Blocks(const Matrix&) {}
  static std::int64_t row_bytes(std::int64_t columns) { return columns; }
  FRESHET_INLINE __m512 dot(const std::uint8_t* w, const float* x) const {
    __m512 sum = _mm512_setzero_ps();
#pragma GCC unroll 4
    for (int n = 0; n < 4; ++n) {
      const __m512i integers =
          _mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(w + 16 * n)));
      sum = _mm512_fmadd_ps(_mm512_cvtepi32_ps(integers), _mm512_loadu_ps(x + 16 * n), sum);
    }
    return sum;
  }
};

struct Nf4Blocks {
  explicit Nf4Blocks(const Matrix&) : values(_mm512_loadu_ps(nf4_values())) {}
  static std::int64_t row_bytes(std::int64_t columns) { return (columns + 1) / 2; }
  FRESHET_INLINE __m512 dot(const std::uint8_t* w, const float* x) const {
    const __m512i evens =
        _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const __m512i odds = _mm512_add_epi32(evens, _mm512_set1_epi32(1));
    __m512 sum = _mm512_setzero_ps();
#pragma GCC unroll 2
    for (int n = 0; n < 2; ++n) {
      const __m512i pairs =
          _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(w + 16 * n)));
      const __m512 low = _mm512_loadu_ps(x + 32 * n), high = _mm512_loadu_ps(x + 32 * n + 16);
      // The lookup takes the low four bits of an index.
      sum = _mm512_fmadd_ps(_mm512_permutexvar_ps(pairs, values),
                            _mm512_permutex2var_ps(low, evens, high), sum);
      sum = _mm512_fmadd_ps(_mm512_permutexvar_ps(_mm512_srli_epi32(pairs, 4), values),
                            _mm512_permutex2var_ps(low, odds, high), sum);
    }
    return sum;
  }
  __m512 values;
};

template <class Blocks>
void dot_blocks(const RowTask& task) {
  const std::int64_t depth = task.w.columns, blocks = depth / kBlockColumns,
                     bytes = Blocks::row_bytes(kBlockColumns);
  const std::int64_t scales_in_row = (depth + kBlockColumns - 1) / kBlockColumns,
                     rest = depth - blocks * kBlockColumns;
  const Blocks form(task.w);
  const auto* row =
      static_cast<const std::uint8_t*>(task.w.values) + task.first * Blocks::row_bytes(depth);
  const float* scales = task.w.scales + task.first * scales_in_row;
  for (std::int64_t j = 0; j < task.count;
       ++j, row += Blocks::row_bytes(depth), scales += scales_in_row) {
    __m512 sums[2] = {};
    for (std::int64_t b = 0; b < blocks; ++b)
      sums[b % 2] = _mm512_fmadd_ps(form.dot(row + b * bytes, task.x + b * kBlockColumns),
                                    _mm512_set1_ps(scales[b]), sums[b % 2]);
    float sum = _mm512_reduce_add_ps(sums[0] + sums[1]);
    if (rest > 0) {
      float tail[kBlockColumns];
      read_row(task.w, task.first + j, blocks * kBlockColumns, rest, tail);
      for (std::int64_t k = 0; k < rest; ++k) sum += task.x[blocks * kBlockColumns + k] * tail[k];
    }
    task.y[j] = sum;
  }
}

}  // namespace
}  // namespace freshet::kernels
