#include <algorithm>
#include <cmath>

#include "trainer/kernels/loops.h"
#include "trainer/kernels/simd.h"

namespace freshet::kernels {
namespace {

// Work is done for kRows queries at a time against kLanes keys at a time, so that sums stay in
// registers. Keys and values stand transposed, [D, row of T], padded with zeros to whole lanes.
constexpr int kRows = 4;
constexpr int kLanes = 16;
typedef float Lanes __attribute__((vector_size(kLanes * sizeof(float)), aligned(sizeof(float))));

inline int padded(int time) { return (time + kLanes - 1) / kLanes * kLanes; }

// Floats from one row of [D, T] to the next: an odd number of lanes, since rows a power of two
// apart would share few cache sets.
inline int row_of(int time) { return padded(time) | kLanes; }

inline Lanes& lanes(float* at) { return *reinterpret_cast<Lanes*>(at); }
inline const Lanes& lanes(const float* at) { return *reinterpret_cast<const Lanes*>(at); }

// [T, heads, D] of head h -> [D, row of T]
inline void transpose_in(int time, int heads, int dim, int h, const float* from, float* to) {
  const int wide = row_of(time);
  for (int d = 0; d < dim; ++d) {
    for (int t = 0; t < time; ++t)
      to[d * wide + t] = from[(static_cast<std::int64_t>(t) * heads + h) * dim + d];
    for (int t = time; t < wide; ++t) to[d * wide + t] = 0;
  }
}

inline void transpose_out(int time, int heads, int dim, int h, const float* from, float* to) {
  const int wide = row_of(time);
  for (int t = 0; t < time; ++t)
    for (int d = 0; d < dim; ++d)
      to[(static_cast<std::int64_t>(t) * heads + h) * dim + d] = from[d * wide + t];
}

// out[r][j] = sum_d rows[r][d] * keys[d][j] for j in [0, count), count a multiple of kLanes.
inline __attribute__((always_inline)) void row_products(int dim, int wide, int count,
                                                        const float* const* rows, const float* keys,
                                                        float* const* out) {
  for (int j = 0; j < count; j += kLanes) {
    Lanes sum[kRows] = {};
    for (int d = 0; d < dim; ++d) {
      const Lanes key = lanes(keys + d * wide + j);
      for (int r = 0; r < kRows; ++r) sum[r] += key * rows[r][d];
    }
    for (int r = 0; r < kRows; ++r) lanes(out[r] + j) = sum[r];
  }
}

// out[r][d] = factor[r] * sum_j weights[r][j] * values[d][j]
inline __attribute__((always_inline)) void weighted_sums(int dim, int wide, int count,
                                                         const float* const* weights,
                                                         const float* values, const float* factor,
                                                         float* const* out) {
  for (int d = 0; d < dim; ++d) {
    Lanes sum[kRows] = {};
    for (int j = 0; j < count; j += kLanes) {
      const Lanes value = lanes(values + d * wide + j);
      for (int r = 0; r < kRows; ++r) sum[r] += value * lanes(weights[r] + j);
    }
    for (int r = 0; r < kRows; ++r) {
      float total = 0;
      for (int lane = 0; lane < kLanes; ++lane) total += sum[r][lane];
      out[r][d] = total * factor[r];
    }
  }
}

// gradient[d][j] += sum_r weights[r][j] * rows[r][d]
inline __attribute__((always_inline)) void add_outer(int dim, int wide, int count,
                                                     const float* const* weights,
                                                     const float* const* rows, float* gradient) {
  for (int j = 0; j < count; j += kLanes) {
    Lanes weight[kRows];
    for (int r = 0; r < kRows; ++r) weight[r] = lanes(weights[r] + j);
    for (int d = 0; d < dim; ++d) {
      Lanes sum = lanes(gradient + d * wide + j);
      for (int r = 0; r < kRows; ++r) sum += weight[r] * rows[r][d];
      lanes(gradient + d * wide + j) = sum;
    }
  }
}

// The block of queries that starts at `first`: rows past the end repeat the last one, and are
// thrown away.
struct Block {
  int rows;          // real ones
  int begin, count;  // keys that any of them sees: [begin, begin + count), in whole lanes
};
inline int first_seen(const AttentionShape& shape, int t) {
  return shape.first_seen ? shape.first_seen[t] : 0;
}
inline Block block_at(const AttentionShape& shape, int first) {
  const int rows = std::min(kRows, shape.time - first);
  const int begin = first_seen(shape, first) / kLanes * kLanes;
  return {rows, begin, padded(first + rows) - begin};
}

}  // namespace

std::int64_t attention_scratch(const AttentionShape& shape) {
  const std::int64_t wide = row_of(shape.time);
  return 4 * wide * shape.head_dim + 2 * kRows * wide + kRows * shape.head_dim;
}

FRESHET_SIMD void attention(const AttentionShape& shape, int g, const float* q, const float* k,
                            const float* v, float* out, float* log_sum, float* scratch) {
  const int time = shape.time, dim = shape.head_dim, wide = row_of(time);
  float* kt = scratch;
  float* vt = kt + wide * dim;
  float* p[kRows];
  for (int r = 0; r < kRows; ++r) p[r] = scratch + 4 * wide * dim + r * wide;
  float* spare = scratch + 4 * wide * dim + 2 * kRows * wide;
  transpose_in(time, shape.kv_heads, dim, g, k, kt);
  transpose_in(time, shape.kv_heads, dim, g, v, vt);
  const float scale = 1.0f / std::sqrt(static_cast<float>(dim));
  for (int h = g * shape.group(); h < (g + 1) * shape.group(); ++h) {
    for (int first = 0; first < time; first += kRows) {
      const Block block = block_at(shape, first);
      const float* rows[kRows];
      float* sums[kRows];
      float factor[kRows];
      for (int r = 0; r < kRows; ++r) {
        const std::int64_t at =
            (static_cast<std::int64_t>(first + std::min(r, block.rows - 1)) * shape.heads + h) *
            dim;
        rows[r] = q + at;
        sums[r] = r < block.rows ? out + at : spare + r * dim;
      }
      row_products(dim, wide, block.count, rows, kt + block.begin, p);
      for (int r = 0; r < kRows; ++r) {
        const int t = std::min(first + r, time - 1), begin = first_seen(shape, t) - block.begin,
                  end = t + 1 - block.begin;
        float* row = p[r];
        float highest = row[begin];
        for (int j = begin + 1; j < end; ++j) highest = std::max(highest, row[j]);
        float sum = 0;
        for (int j = begin; j < end; ++j) {
          row[j] = std::exp((row[j] - highest) * scale);
          sum += row[j];
        }
        for (int j = 0; j < begin; ++j) row[j] = 0;
        for (int j = end; j < block.count; ++j) row[j] = 0;
        factor[r] = 1.0f / sum;
        if (r < block.rows)
          log_sum[static_cast<std::int64_t>(h) * time + first + r] =
              highest * scale + std::log(sum);
      }
      weighted_sums(dim, wide, block.count, p, vt + block.begin, factor, sums);
    }
  }
}

FRESHET_SIMD void attention_backward(const AttentionShape& shape, int g, const float* dout,
                                     const float* q, const float* k, const float* v,
                                     const float* out, const float* log_sum, float* dq, float* dk,
                                     float* dv, float* scratch) {
  const int time = shape.time, dim = shape.head_dim, wide = row_of(time);
  float* kt = scratch;
  float* vt = kt + wide * dim;
  float* dkt = vt + wide * dim;
  float* dvt = dkt + wide * dim;
  float *p[kRows], *ds[kRows];
  for (int r = 0; r < kRows; ++r) {
    p[r] = scratch + 4 * wide * dim + r * wide;
    ds[r] = p[r] + kRows * wide;
  }
  float* spare = scratch + 4 * wide * dim + 2 * kRows * wide;
  transpose_in(time, shape.kv_heads, dim, g, k, kt);
  transpose_in(time, shape.kv_heads, dim, g, v, vt);
  std::fill(dkt, dkt + 2 * wide * dim, 0.0f);
  const float scale = 1.0f / std::sqrt(static_cast<float>(dim));
  const float one[kRows] = {1, 1, 1, 1};
  for (int h = g * shape.group(); h < (g + 1) * shape.group(); ++h) {
    for (int first = 0; first < time; first += kRows) {
      const Block block = block_at(shape, first);
      const float *queries[kRows], *gradients[kRows];
      float* dqueries[kRows];
      for (int r = 0; r < kRows; ++r) {
        const std::int64_t at =
            (static_cast<std::int64_t>(first + std::min(r, block.rows - 1)) * shape.heads + h) *
            dim;
        queries[r] = q + at;
        gradients[r] = dout + at;
        dqueries[r] = r < block.rows ? dq + at : spare + r * dim;
      }
      row_products(dim, wide, block.count, queries, kt + block.begin, p);
      row_products(dim, wide, block.count, gradients, vt + block.begin, ds);
      for (int r = 0; r < kRows; ++r) {
        const int t = std::min(first + r, time - 1);
        const int begin = first_seen(shape, t) - block.begin;
        const int end =
            r < block.rows ? t + 1 - block.begin : begin;  // a repeated row counts for nothing
        const std::int64_t at = gradients[r] - dout;
        float along = 0;  // sum_d dout * out: what softmax's backward subtracts
        for (int d = 0; d < dim; ++d) along += dout[at + d] * out[at + d];
        const float total = log_sum[static_cast<std::int64_t>(h) * time + t];
        for (int j = 0; j < begin; ++j) p[r][j] = ds[r][j] = 0;
        for (int j = begin; j < end; ++j) {
          p[r][j] = std::exp(p[r][j] * scale - total);
          ds[r][j] = p[r][j] * (ds[r][j] - along) * scale;
        }
        for (int j = end; j < block.count; ++j) p[r][j] = ds[r][j] = 0;
      }
      weighted_sums(dim, wide, block.count, ds, kt + block.begin, one, dqueries);
      add_outer(dim, wide, block.count, ds, queries, dkt + block.begin);
      add_outer(dim, wide, block.count, p, gradients, dvt + block.begin);
    }
  }
  transpose_out(time, shape.kv_heads, dim, g, dkt, dk);
  transpose_out(time, shape.kv_heads, dim, g, dvt, dv);
}

}  // namespace freshet::kernels
