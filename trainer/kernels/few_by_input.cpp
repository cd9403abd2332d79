// W [columns of x, columns of y], as GPT-2's files have it: y is a sum of rows of W, and every
// thread adds up a stretch of them.

#include <omp.h>

#include <algorithm>
#include <vector>

#include "trainer/kernels/few_rows.h"
#include "trainer/kernels/simd.h"

namespace freshet::kernels {
namespace {

FRESHET_SIMD void add_row(std::int64_t count, float x, const float* __restrict w,
                          float* __restrict y) {
  for (std::int64_t j = 0; j < count; ++j) y[j] += x * w[j];
}

FRESHET_SIMD void add_row_bf16(std::int64_t count, float x, const std::uint16_t* __restrict w,
                               float* __restrict y) {
  for (std::int64_t j = 0; j < count; ++j) {
    const std::uint32_t bits = static_cast<std::uint32_t>(w[j]) << 16;
    y[j] += x * __builtin_bit_cast(float, bits);
  }
}

float entry(const Operand& x, std::int64_t row, std::int64_t k) {
  if (x.bf16 == nullptr) return x.f32[row * x.columns + k];
  return __builtin_bit_cast(
      float, static_cast<std::uint32_t>(x.bf16[row * ((x.columns + 1) / 2 * 2) + k]) << 16);
}

// sums [rows of x, columns of y] += x W over the rows [first, last) of W
void add_stretch(const Product& product, std::int64_t first, std::int64_t last, float* sums) {
  const Matrix& w = product.w;
  std::vector<float> read(
      w.form == Form::kInt8 || w.form == Form::kNf4 ? static_cast<std::size_t>(w.columns) : 0);
  for (std::int64_t k = first; k < last; ++k) {
    if (!read.empty()) read_row(w, k, 0, w.columns, read.data());
    const float* row =
        w.form == Form::kF32 ? static_cast<const float*>(w.values) + k * w.columns : read.data();
    for (std::int64_t n = 0; n < product.x.rows; ++n) {
      float* to = sums + n * w.columns;
      const float x = entry(product.x, n, k);
      if (w.form == Form::kBf16)
        add_row_bf16(w.columns, x, static_cast<const std::uint16_t*>(w.values) + k * w.columns, to);
      else
        add_row(w.columns, x, row, to);
    }
  }
}

}  // namespace

void multiply_few_by_input(const Product& product) {
  const std::int64_t columns = product.w.columns, count = product.x.rows * columns;
  const int threads = product.w.rows * columns > kAloneEntries ? omp_get_max_threads() : 1;
  std::vector<float> sums(static_cast<std::size_t>(threads * count), 0.0f);
#pragma omp parallel num_threads(threads)
  {
    const std::int64_t here = omp_get_thread_num(), all = omp_get_num_threads();
    add_stretch(product, product.w.rows * here / all, product.w.rows * (here + 1) / all,
                sums.data() + here * count);
  }
  for (std::int64_t n = 0; n < product.x.rows; ++n)
    for (std::int64_t j = 0; j < columns; ++j) {
      float value =
          (product.bias ? product.bias[j] : 0.0f) + low_rank_entry(product.low, n, j, columns);
      for (std::int64_t t = 0; t < threads; ++t)
        value += sums[static_cast<std::size_t>(t * count + n * columns + j)];
      float& y = product.y[n * columns + j];
      y = product.accumulate ? y + value : value;
    }
}

}  // namespace freshet::kernels
