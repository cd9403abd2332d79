#pragma once
// Included by tile_loops.h alone: columns of y of a weight in any form, brought into the order of a
// panel.

#include "trainer/kernels/tile_vector.h"

namespace freshet::kernels {
namespace {

typedef std::uint32_t Unit __attribute__((may_alias));  // an f32, or two bf16 side by side

// out[k * width + j] = from[j][k] for 32-bit units, j < rows, k < count.
void transpose_units(const Unit* const* from, int rows, std::int64_t count, std::int64_t width,
                     std::uint32_t* out) {
  std::int64_t k = 0;
#if defined(__AVX512F__)
  if (rows == 16)
    for (; k + 16 <= count; k += 16) {
      __m512i r[16], t[16];
#pragma GCC unroll 16
      for (int j = 0; j < 16; ++j) r[j] = _mm512_loadu_si512(from[j] + k);
#pragma GCC unroll 8
      for (int j = 0; j < 16; j += 2) {
        t[j] = _mm512_unpacklo_epi32(r[j], r[j + 1]);
        t[j + 1] = _mm512_unpackhi_epi32(r[j], r[j + 1]);
      }
#pragma GCC unroll 4
      for (int j = 0; j < 16; j += 4) {
        r[j] = _mm512_unpacklo_epi64(t[j], t[j + 2]);
        r[j + 1] = _mm512_unpackhi_epi64(t[j], t[j + 2]);
        r[j + 2] = _mm512_unpacklo_epi64(t[j + 1], t[j + 3]);
        r[j + 3] = _mm512_unpackhi_epi64(t[j + 1], t[j + 3]);
      }
#pragma GCC unroll 4
      for (int j = 0; j < 4; ++j) {
        t[j] = _mm512_shuffle_i32x4(r[j], r[j + 4], 0x88);
        t[j + 4] = _mm512_shuffle_i32x4(r[j], r[j + 4], 0xDD);
        t[j + 8] = _mm512_shuffle_i32x4(r[j + 8], r[j + 12], 0x88);
        t[j + 12] = _mm512_shuffle_i32x4(r[j + 8], r[j + 12], 0xDD);
      }
#pragma GCC unroll 4
      for (int j = 0; j < 4; ++j) {
        _mm512_storeu_si512(out + (k + j) * width, _mm512_shuffle_i32x4(t[j], t[j + 8], 0x88));
        _mm512_storeu_si512(out + (k + 8 + j) * width, _mm512_shuffle_i32x4(t[j], t[j + 8], 0xDD));
        _mm512_storeu_si512(out + (k + 4 + j) * width,
                            _mm512_shuffle_i32x4(t[j + 4], t[j + 12], 0x88));
        _mm512_storeu_si512(out + (k + 12 + j) * width,
                            _mm512_shuffle_i32x4(t[j + 4], t[j + 12], 0xDD));
      }
    }
#endif
  for (; k < count; ++k)
    for (int j = 0; j < rows; ++j) out[k * width + j] = from[j][k];
}

constexpr int kGroup = 16;  // rows of W that are turned together
constexpr std::int64_t kChunk = kBlockColumns;

// W [columns of y, depth]: sixteen rows at a time, in chunks of depth where their form must be read
// first.
void pack_by_output(const PackTask& task) {
  auto* out = static_cast<std::uint32_t*>(task.out);
  const std::int64_t per_unit = task.bf16 ? 2 : 1;
  const bool as_stored =
      task.bf16 ? task.w.form == Form::kBf16 && task.depth % 2 == 0 : task.w.form == Form::kF32;
  for (int first = 0; first < task.width; first += kGroup) {
    const int valid = task.columns - first < kGroup ? task.columns - first : kGroup;
    const int group = task.width - first < kGroup ? task.width - first : kGroup;
    if (valid < group)
      for (std::int64_t k = 0; k < (task.depth + per_unit - 1) / per_unit; ++k)
        std::memset(out + k * task.width + first, 0, static_cast<std::size_t>(group) * 4);
    if (valid <= 0) continue;
    const Unit* from[kGroup];
    if (as_stored) {
      const auto* units = static_cast<const Unit*>(task.w.values);
      for (int j = 0; j < valid; ++j)
        from[j] = units + (task.first + first + j) * task.w.columns / per_unit;
      transpose_units(from, valid, task.depth / per_unit, task.width, out + first);
      continue;
    }
    float rows[kGroup][kChunk];
    std::uint16_t halves[kGroup][kChunk];
    for (std::int64_t k = 0; k < task.depth; k += kChunk) {
      const std::int64_t count = task.depth - k < kChunk ? task.depth - k : kChunk;
      for (int j = 0; j < valid; ++j) {
        read_row(task.w, task.first + first + j, k, count, rows[j]);
        if (count % 2 == 1) rows[j][count] = 0.0f;  // kChunk is even, so there is room
        if (task.bf16) to_bf16_loop((count + 1) / 2 * 2, rows[j], halves[j]);
        from[j] = task.bf16 ? reinterpret_cast<const Unit*>(halves[j])
                            : reinterpret_cast<const Unit*>(rows[j]);
      }
      transpose_units(from, valid, (count + per_unit - 1) / per_unit, task.width,
                      out + k / per_unit * task.width + first);
    }
  }
}

#if defined(__AVX512F__)
FRESHET_INLINE __m512i widened(const std::uint16_t* at) {
  return _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at)));
}

// Whole vectors of two rows of bf16, joined entry by entry.
void join_rows(const std::uint16_t* even, const std::uint16_t* odd, int width, std::uint32_t* out) {
  for (int j = 0; j < width; j += 16)
    _mm512_storeu_si512(
        out + j, _mm512_or_si512(widened(even + j), _mm512_slli_epi32(widened(odd + j), 16)));
}
#else
void join_rows(const std::uint16_t* even, const std::uint16_t* odd, int width, std::uint32_t* out) {
  for (int j = 0; j < width; ++j)
    out[j] = static_cast<std::uint32_t>(even[j]) | static_cast<std::uint32_t>(odd[j]) << 16;
}
#endif

// W [depth, columns of y]: its rows are already in order; bf16 joins two of them.
void pack_by_input(const PackTask& task) {
  float low[kPanelColumnsMax], high[kPanelColumnsMax];
  std::memset(low, 0, sizeof low);
  std::memset(high, 0, sizeof high);
  if (!task.bf16) {
    auto* out = static_cast<float*>(task.out);
    if (task.w.form == Form::kF32 && task.columns == task.width) {
      const float* from = static_cast<const float*>(task.w.values) + task.first;
      for (std::int64_t k = 0; k < task.depth; ++k, out += task.width, from += task.w.columns)
        for (int j = 0; j < task.width; j += kLanes) store(out + j, load(from + j));
      return;
    }
    for (std::int64_t k = 0; k < task.depth; ++k, out += task.width) {
      read_row(task.w, k, task.first, task.columns, low);
      std::memcpy(out, low, static_cast<std::size_t>(task.width) * 4);
    }
    return;
  }
  auto* out = static_cast<std::uint32_t*>(task.out);
  std::uint16_t even[kPanelColumnsMax] = {}, odd[kPanelColumnsMax] = {};
  for (std::int64_t k = 0; k < task.depth; k += 2, out += task.width) {
    const bool last = k + 1 == task.depth;
    if (task.w.form == Form::kBf16 && task.columns == task.width && !last) {
      const auto* from =
          static_cast<const std::uint16_t*>(task.w.values) + k * task.w.columns + task.first;
      join_rows(from, from + task.w.columns, task.width, out);
      continue;
    }
    if (task.w.form == Form::kBf16) {
      const auto* from =
          static_cast<const std::uint16_t*>(task.w.values) + k * task.w.columns + task.first;
      const std::size_t bytes = static_cast<std::size_t>(task.columns) * 2;
      std::memcpy(even, from, bytes);
      if (last)
        std::memset(odd, 0, sizeof odd);
      else
        std::memcpy(odd, from + task.w.columns, bytes);
    } else {
      read_row(task.w, k, task.first, task.columns, low);
      if (!last) read_row(task.w, k + 1, task.first, task.columns, high);
      to_bf16_loop(task.width, low, even);
      to_bf16_loop(task.width, high, odd);
      if (last) std::memset(odd, 0, sizeof odd);
    }
    join_rows(even, odd, task.width, out);
  }
}

void pack_loop(const PackTask& task) {
  task.w_by_input ? pack_by_input(task) : pack_by_output(task);
}

}  // namespace
}  // namespace freshet::kernels
