#pragma once
// Included by tile_loops.h alone: rows of W times one x, as they lie.

#include "trainer/kernels/tile_vector.h"
#if defined(__AVX512F__)
#include "trainer/kernels/tile_dot_blocks.h"
#endif

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
// One row after another, so that memory is read as one stream: several at a time come at half the
// speed or less.
void dot_bf16(const RowTask& task) {
  const std::int64_t depth = task.w.columns, whole = depth / 32 * 32;
  const __mmask32 tail = (1u << (depth - whole)) - 1u;
  const auto* row = static_cast<const std::uint16_t*>(task.w.values) + task.first * depth;
  const auto add = [](__m512 sum, __m512i a, __m512i b) {
    return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(b));
  };
  for (std::int64_t j = 0; j < task.count; ++j, row += depth) {
    __m512 sums[4] = {};
    std::int64_t k = 0;
    for (; k + 128 <= whole; k += 128)
#pragma GCC unroll 4
      for (int n = 0; n < 4; ++n)
        sums[n] = add(sums[n], _mm512_loadu_si512(task.x_bf16 + k + 32 * n),
                      _mm512_loadu_si512(row + k + 32 * n));
    for (; k < whole; k += 32)
      sums[0] = add(sums[0], _mm512_loadu_si512(task.x_bf16 + k), _mm512_loadu_si512(row + k));
    if (tail != 0)
      sums[1] = add(sums[1], _mm512_maskz_loadu_epi16(tail, task.x_bf16 + k),
                    _mm512_maskz_loadu_epi16(tail, row + k));
    task.y[j] = _mm512_reduce_add_ps((sums[0] + sums[1]) + (sums[2] + sums[3]));
  }
}
#endif

void dot_rows_loop(const RowTask& task) {
#if defined(__AVX512BF16__)
  if (task.w.form == Form::kBf16 && task.x_bf16 != nullptr) return dot_bf16(task);
#endif
#if defined(__AVX512F__)
  if (task.w.form == Form::kInt8) return dot_blocks<Int8Blocks>(task);
  if (task.w.form == Form::kNf4) return dot_blocks<Nf4Blocks>(task);
#endif
  const std::int64_t depth = task.w.columns;
  for (std::int64_t j = 0; j < task.count; ++j) {
    if (task.w.form == Form::kF32) {
      task.y[j] = dot_f32(depth, task.x,
                          static_cast<const float*>(task.w.values) + (task.first + j) * depth);
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
