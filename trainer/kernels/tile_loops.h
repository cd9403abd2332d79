// Included by the tile_*.cpp alone, after FRESHET_TILE_LANES and FRESHET_TILE_ROWS are defined: the loops for one
// instruction set, in a namespace without a name.

#include <cstring>

#include "trainer/kernels/tile.h"

namespace freshet::kernels {
namespace {

constexpr int kLanes = FRESHET_TILE_LANES, kTileRows = FRESHET_TILE_ROWS;
constexpr int kPanelVectors = FRESHET_TILE_VECTORS;
typedef float Vector __attribute__((vector_size(4 * kLanes)));
typedef float LooseVector __attribute__((vector_size(4 * kLanes), aligned(4), may_alias));

#define FRESHET_INLINE inline __attribute__((always_inline))

FRESHET_INLINE Vector load(const float* at) { return *reinterpret_cast<const LooseVector*>(at); }
FRESHET_INLINE void store(float* at, Vector v) { *reinterpret_cast<LooseVector*>(at) = v; }

FRESHET_INLINE std::uint16_t round_bf16(float value) {
  std::uint32_t bits;
  std::memcpy(&bits, &value, 4);
  const std::uint32_t nan = (bits & 0x7FFFFFFFu) > 0x7F800000u ? 0x400000u : 0u;
  return static_cast<std::uint16_t>(((nan ? bits | nan : bits + 0x7FFFu + (bits >> 16 & 1u))) >> 16);
}

void to_bf16_loop(std::int64_t count, const float* values, std::uint16_t* out) {
  std::int64_t i = 0;
#if defined(__AVX512BF16__)
  for (; i + 32 <= count; i += 32) {
    const __m512bh packed = _mm512_cvtne2ps_pbh(_mm512_loadu_ps(values + i + 16), _mm512_loadu_ps(values + i));
    std::memcpy(out + i, &packed, 64);
  }
#endif
  for (; i < count; ++i) out[i] = round_bf16(values[i]);
}

// A tile of M rows and N vectors of columns.
template <int M, int N>
FRESHET_INLINE void add_f32(Vector (&sum)[M][N], std::int64_t depth, const float* a, std::int64_t a_stride, const float* b,
                            std::int64_t b_stride) {
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
FRESHET_INLINE void add_bf16(Vector (&sum)[M][N], std::int64_t depth, const std::uint16_t* a, std::int64_t a_stride,
                             const std::uint32_t* b) {
  for (std::int64_t k = 0; k < depth; k += 2) {
    __m512bh right[N];
#pragma GCC unroll 8
    for (int n = 0; n < N; ++n) right[n] = reinterpret_cast<__m512bh>(_mm512_loadu_si512(b + (k / 2) * (N * kLanes) + n * kLanes));
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
FRESHET_INLINE void put(const Vector (&sum)[M][N], const Panel& panel, bool accumulate, float* y, std::int64_t y_stride) {
  if (panel.columns == N * kLanes) {
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
  for (int m = 0; m < M; ++m) {
    float row[N * kLanes];
    for (int n = 0; n < N; ++n) store(row + n * kLanes, sum[m][n]);
    float* at = y + m * y_stride;
    for (int j = 0; j < panel.columns; ++j)
      at[j] = row[j] + (panel.bias ? panel.bias[j] : 0.0f) + (accumulate ? at[j] : 0.0f);
  }
}

template <int M, int N>
void tile(const Panel& panel, const PanelTask& task, std::int64_t row) {
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
    add_f32<M, N>(sum, panel.depth, task.x + row * task.x_stride, task.x_stride, static_cast<const float*>(panel.values),
                  panel.stride);
  if (task.rank > 0)
    add_f32<M, N>(sum, task.rank, task.u + row * task.u_stride, task.u_stride, panel.low, N * kLanes);
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

// out[k * width + j] = from[j][k] for 32-bit units, j < rows, k < count.
void transpose_units(const std::uint32_t* const* from, int rows, std::int64_t count, std::int64_t width, std::uint32_t* out) {
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
        _mm512_storeu_si512(out + (k + 4 + j) * width, _mm512_shuffle_i32x4(t[j + 4], t[j + 12], 0x88));
        _mm512_storeu_si512(out + (k + 12 + j) * width, _mm512_shuffle_i32x4(t[j + 4], t[j + 12], 0xDD));
      }
    }
#endif
  for (; k < count; ++k)
    for (int j = 0; j < rows; ++j) out[k * width + j] = from[j][k];
}

constexpr int kGroup = 16;  // rows of W that are turned together
constexpr std::int64_t kChunk = kBlockColumns;

// W [columns of y, depth]: sixteen rows at a time, in chunks of depth where their form must be read first.
void pack_by_output(const PackTask& task) {
  auto* out = static_cast<std::uint32_t*>(task.out);
  const std::int64_t per_unit = task.bf16 ? 2 : 1;
  const bool as_stored = task.bf16 ? task.w.form == Form::kBf16 && task.depth % 2 == 0 : task.w.form == Form::kF32;
  for (int first = 0; first < task.width; first += kGroup) {
    const int valid = task.columns - first < kGroup ? task.columns - first : kGroup;
    const int group = task.width - first < kGroup ? task.width - first : kGroup;
    if (valid < group)
      for (std::int64_t k = 0; k < (task.depth + per_unit - 1) / per_unit; ++k)
        std::memset(out + k * task.width + first, 0, static_cast<std::size_t>(group) * 4);
    if (valid <= 0) continue;
    const std::uint32_t* from[kGroup];
    if (as_stored) {
      const auto* units = static_cast<const std::uint32_t*>(task.w.values);
      for (int j = 0; j < valid; ++j) from[j] = units + (task.first + first + j) * task.w.columns / per_unit;
      transpose_units(from, valid, task.depth / per_unit, task.width, out + first);
      continue;
    }
    float rows[kGroup][kChunk];
    std::uint16_t halves[kGroup][kChunk];
    for (std::int64_t k = 0; k < task.depth; k += kChunk) {
      const std::int64_t count = task.depth - k < kChunk ? task.depth - k : kChunk;
      for (int j = 0; j < valid; ++j) {
        read_row(task.w, task.first + first + j, k, count, rows[j]);
        if (count % 2 == 1) rows[j][count < kChunk ? count : kChunk - 1] = count < kChunk ? 0.0f : rows[j][kChunk - 1];
        if (task.bf16) to_bf16_loop((count + 1) / 2 * 2, rows[j], halves[j]);
        from[j] = task.bf16 ? reinterpret_cast<const std::uint32_t*>(halves[j]) : reinterpret_cast<const std::uint32_t*>(rows[j]);
      }
      transpose_units(from, valid, (count + per_unit - 1) / per_unit, task.width, out + k / per_unit * task.width + first);
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
    _mm512_storeu_si512(out + j, _mm512_or_si512(widened(even + j), _mm512_slli_epi32(widened(odd + j), 16)));
}
#else
void join_rows(const std::uint16_t* even, const std::uint16_t* odd, int width, std::uint32_t* out) {
  for (int j = 0; j < width; ++j) out[j] = static_cast<std::uint32_t>(even[j]) | static_cast<std::uint32_t>(odd[j]) << 16;
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
      const auto* from = static_cast<const std::uint16_t*>(task.w.values) + k * task.w.columns + task.first;
      join_rows(from, from + task.w.columns, task.width, out);
      continue;
    }
    if (task.w.form == Form::kBf16) {
      const auto* from = static_cast<const std::uint16_t*>(task.w.values) + k * task.w.columns + task.first;
      const std::size_t bytes = static_cast<std::size_t>(task.columns) * 2;
      std::memcpy(even, from, bytes);
      if (last) std::memset(odd, 0, sizeof odd);
      else std::memcpy(odd, from + task.w.columns, bytes);
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

void pack_loop(const PackTask& task) { task.w_by_input ? pack_by_input(task) : pack_by_output(task); }

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

constexpr TileLoops kLoops = {kLanes, pack_loop, multiply_loop, dot_rows_loop, to_bf16_loop};

}  // namespace
}  // namespace freshet::kernels
