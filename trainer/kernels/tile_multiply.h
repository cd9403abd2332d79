#pragma once
// Included by tile_loops.h alone: a panel times rows of x, tile by tile, with the sums in
// registers.

#include "trainer/kernels/tile_vector.h"

namespace freshet::kernels {
namespace {

// A tile of M rows and N vectors of columns.
template <int M, int N>
FRESHET_INLINE void add_f32(Vector (&sum)[M][N], std::int64_t depth, const float* a,
                            std::int64_t a_stride, const float* b, std::int64_t b_stride) {
  for (std::int64_t k = 0; k < depth; ++k) {
    Vector right[N];
#pragma GCC unroll 8
    for (int n = 0; n < N; ++n) right[n] = load(b + k * b_stride + n * kLanes);
#pragma GCC unroll 16
    for (int m = 0; m < M; ++m) {
      const float left = a[m * a_stride + k];
#pragma GCC unroll 8
      for (int n = 0; n < N; ++n) sum[m][n] += right[n] * left;
    }
  }
}

#if defined(__AVX512BF16__)
template <int M, int N>
FRESHET_INLINE void add_bf16(Vector (&sum)[M][N], std::int64_t depth, const std::uint16_t* a,
                             std::int64_t a_stride, const std::uint32_t* b) {
  for (std::int64_t k = 0; k < depth; k += 2) {
    __m512bh right[N];
#pragma GCC unroll 8
    for (int n = 0; n < N; ++n)
      right[n] =
          reinterpret_cast<__m512bh>(_mm512_loadu_si512(b + (k / 2) * (N * kLanes) + n * kLanes));
#pragma GCC unroll 16
    for (int m = 0; m < M; ++m) {
      int pair;
      std::memcpy(&pair, a + m * a_stride + k, 4);
      const __m512bh left = reinterpret_cast<__m512bh>(_mm512_set1_epi32(pair));
#pragma GCC unroll 8
      for (int n = 0; n < N; ++n) sum[m][n] = _mm512_dpbf16_ps(sum[m][n], left, right[n]);
    }
  }
}
#endif

template <int M, int N>
FRESHET_INLINE void put(const Vector (&sum)[M][N], const Panel& panel, bool accumulate, float* y,
                        std::int64_t y_stride) {
  if (panel.columns == N * kLanes) {
#pragma GCC unroll 16
    for (int m = 0; m < M; ++m)
#pragma GCC unroll 8
      for (int n = 0; n < N; ++n) {
        float* at = y + m * y_stride + n * kLanes;
        Vector value = sum[m][n];
        if (panel.bias) value += load(panel.bias + n * kLanes);
        if (accumulate) value += load(at);
        store(at, value);
      }
    return;
  }
#pragma GCC unroll 16
  for (int m = 0; m < M; ++m) {
    float row[N * kLanes];
#pragma GCC unroll 8
    for (int n = 0; n < N; ++n) store(row + n * kLanes, sum[m][n]);
    float* at = y + m * y_stride;
    for (int j = 0; j < panel.columns; ++j)
      at[j] = row[j] + (panel.bias ? panel.bias[j] : 0.0f) + (accumulate ? at[j] : 0.0f);
  }
}

// Its rows of y lie far apart, where no processor expects them: they are asked for before the sums
// are made, so that they have come when those are there.
template <int M, int N>
FRESHET_INLINE void expect(const PanelTask& task, std::int64_t row) {
  const float* y = task.y + row * task.y_stride;
  for (int m = 0; m < M; ++m)
#pragma GCC unroll 8
    for (int n = 0; n < N; ++n) __builtin_prefetch(y + m * task.y_stride + n * kLanes, 1, 2);
}

template <int M, int N>
void tile(const Panel& panel, const PanelTask& task, std::int64_t row) {
  expect<M, N>(task, row);
  Vector sum[M][N];
#pragma GCC unroll 16
  for (int m = 0; m < M; ++m)
#pragma GCC unroll 8
    for (int n = 0; n < N; ++n) sum[m][n] = Vector{};
#if defined(__AVX512BF16__)
  if (panel.bf16)
    add_bf16<M, N>(sum, panel.depth, task.x_bf16 + row * task.x_stride, task.x_stride,
                   static_cast<const std::uint32_t*>(panel.values));
  else
#endif
    add_f32<M, N>(sum, panel.depth, task.x + row * task.x_stride, task.x_stride,
                  static_cast<const float*>(panel.values), panel.stride);
  if (task.rank > 0)
    add_f32<M, N>(sum, task.rank, task.u + row * task.u_stride, task.u_stride, panel.low,
                  N * kLanes);
  put<M, N>(sum, panel, task.accumulate, task.y + row * task.y_stride, task.y_stride);
}

template <int N>
void multiply_panel(const Panel& panel, const PanelTask& task) {
  std::int64_t row = 0;
  for (; row + kTileRows <= task.rows; row += kTileRows) tile<kTileRows, N>(panel, task, row);
  for (; row + 4 <= task.rows; row += 4) tile<4, N>(panel, task, row);
  for (; row < task.rows; ++row) tile<1, N>(panel, task, row);
}

void multiply_loop(const Panel& panel, const PanelTask& task) {
  switch (panel.width / kLanes) {
    case 1: return multiply_panel<1>(panel, task);
    case 2: return multiply_panel<2>(panel, task);
    default: return multiply_panel<kPanelVectors>(panel, task);
  }
}

}  // namespace
}  // namespace freshet::kernels
