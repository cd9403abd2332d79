#pragma once
// Included by tile_loops.h alone: rows of W times one x, as they lie.

#include "trainer/kernels/tile_vector.h"

namespace freshet::kernels {
namespace {

float dot_f32(std::int64_t count, const float* a, const float* b) {
  Vector sums[4] = {};
  std::int64_t k = 0;
  for (; k + 4 * kLanes <= count; k += 4 * kLanes)
    for (int n = 0; n < 4; ++n) sums[n] += load(a + k + n * kLanes) * load(b + k + n * kLanes);
  float lanes[kLanes], sum = 0;
  store(lanes, sums[0] + sums[1] + sums[2] + sums[3]);
  for (float lane : lanes) sum += lane;
  for (; k < count; ++k) sum += a[k] * b[k];
  return sum;
}

#if defined(__AVX512BF16__)
// Four rows of W at a time, so that four streams of memory are open.
void dot_bf16(const RowTask& task) {
  const std::int64_t depth = task.w.columns;
  const auto* w = static_cast<const std::uint16_t*>(task.w.values) + task.first * depth;
  for (std::int64_t j = 0; j < task.count; j += 4) {
    const int rows = task.count - j < 4 ? static_cast<int>(task.count - j) : 4;
    __m512 sums[4] = {};
    const std::uint16_t* row[4];
    for (int r = 0; r < 4; ++r) row[r] = w + (j + (r < rows ? r : 0)) * depth;
    std::int64_t k = 0;
    for (; k + 32 <= depth; k += 32) {
      const __m512bh left = reinterpret_cast<__m512bh>(_mm512_loadu_si512(task.x_bf16 + k));
#pragma GCC unroll 4
      for (int r = 0; r < 4; ++r)
        sums[r] = _mm512_dpbf16_ps(sums[r], left, reinterpret_cast<__m512bh>(_mm512_loadu_si512(row[r] + k)));
    }
    if (k < depth) {
      const __mmask32 tail = (1u << (depth - k)) - 1u;
      const __m512bh left = reinterpret_cast<__m512bh>(_mm512_maskz_loadu_epi16(tail, task.x_bf16 + k));
      for (int r = 0; r < 4; ++r)
        sums[r] = _mm512_dpbf16_ps(sums[r], left, reinterpret_cast<__m512bh>(_mm512_maskz_loadu_epi16(tail, row[r] + k)));
    }
    for (int r = 0; r < rows; ++r) task.y[j + r] = _mm512_reduce_add_ps(sums[r]);
  }
}
#endif

void dot_rows_loop(const RowTask& task) {
#if defined(__AVX512BF16__)
  if (task.w.form == Form::kBf16 && task.x_bf16 != nullptr) return dot_bf16(task);
#endif
  const std::int64_t depth = task.w.columns;
  for (std::int64_t j = 0; j < task.count; ++j) {
    if (task.w.form == Form::kF32) {
      task.y[j] = dot_f32(depth, task.x, static_cast<const float*>(task.w.values) + (task.first + j) * depth);
      continue;
    }
    constexpr std::int64_t kPiece = 8 * kBlockColumns;
    float piece[kPiece], sum = 0;
    for (std::int64_t k = 0; k < depth; k += kPiece) {
      const std::int64_t count = depth - k < kPiece ? depth - k : kPiece;
      read_row(task.w, task.first + j, k, count, piece);
      sum += dot_f32(count, task.x + k, piece);
    }
    task.y[j] = sum;
  }
}

}  // namespace
}  // namespace freshet::kernels
