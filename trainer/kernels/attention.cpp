#include "trainer/kernels/attention.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "trainer/kernels/attention_parts.h"
#include "trainer/kernels/simd.h"

namespace freshet::kernels {
namespace {

using namespace attention_parts;

void turn_back(const Work& work, const float* from, float* to) {  // [D, wide] -> [T,G,D]
  const std::int64_t dim = work.shape.head_dim, row = work.shape.kv_heads * dim;
  constexpr std::int64_t kPiece = 16;
  for (std::int64_t first = 0; first < work.shape.time; first += kPiece)
    for (std::int64_t d = 0; d < dim; ++d)
      for (std::int64_t t = first; t < std::min<std::int64_t>(work.shape.time, first + kPiece); ++t)
        to[t * row + work.g * dim + d] = from[d * work.cut.wide + t];
}

// One row of scores: those of [begin, end) become weights whose sum is returned in `sum`, the
// others of `count` zeros.
struct Span {
  int begin, end, count;
};
FRESHET_SIMD void soften(const Span& span, float scale, float* __restrict row, float& highest,
                         float& sum) {
  float most = row[span.begin];
  for (int j = span.begin + 1; j < span.end; ++j) most = std::max(most, row[j]);
  float all = 0;
  for (int j = span.begin; j < span.end; ++j) {
    row[j] = std::exp((row[j] - most) * scale);
    all += row[j];
  }
  std::fill(row, row + span.begin, 0.0f);
  std::fill(row + span.end, row + span.count, 0.0f);
  highest = most;
  sum = all;
}

// Scores become probabilities, and what flows to them the slope of the scores.
FRESHET_SIMD void soften_backward(const Span& span, float scale, float log_sum, float along,
                                  float* __restrict scores, float* __restrict slopes) {
  for (int j = span.begin; j < span.end; ++j) {
    scores[j] = std::exp(scores[j] * scale - log_sum);
    slopes[j] = scores[j] * (slopes[j] - along) * scale;
  }
  for (float* row : {scores, slopes}) {
    std::fill(row, row + span.begin, 0.0f);
    std::fill(row + span.end, row + span.count, 0.0f);
  }
}

FRESHET_SIMD float dot(int count, const float* __restrict a, const float* __restrict b) {
  float sum = 0;
  for (int i = 0; i < count; ++i) sum += a[i] * b[i];
  return sum;
}

Span span_of(const Work& work, const Block& block, int query) {
  return {Block::seen_by(work.shape, query) - block.begin, query + 1 - block.begin,
          block.panels * work.cut.keys};
}

// Rows of weights as they are multiplied.
float* as_factor(const Cut& cut, int rows, int count, float* weights, float* rounded) {
  if (!cut.bf16) return weights;
  for (int r = 0; r < rows; ++r)
    to_bf16(count, weights + r * cut.wide,
            reinterpret_cast<std::uint16_t*>(rounded) + r * cut.wide);
  return rounded;
}

void forward_block(const Work& work, const Block& block, const void* q, float* out,
                   float* log_sum) {
  const AttentionShape& shape = work.shape;
  const int dim = shape.head_dim, group = shape.group();
  const float scale = 1.0f / std::sqrt(static_cast<float>(dim));
  const std::int64_t from = block.first * work.row + work.first_query();
  multiply_by_key(work, block, work.at.keys, entry_of(q, from, work.cut.bf16), work.row,
                  work.at.scores);
  float* sum = work.at.slopes;  // of each row; slopes are backward's
  for (int r = 0; r < block.rows; ++r)
    for (int j = 0; j < group; ++j) {
      const int at = r * group + j, query = block.first + r;
      float highest = 0;
      soften(span_of(work, block, query), scale, work.at.scores + at * work.cut.wide, highest,
             sum[at]);
      log_sum[std::int64_t{work.g * group + j} * shape.time + query] =
          highest * scale + std::log(sum[at]);
    }
  multiply_by_entry(work, block, work.at.values,
                    as_factor(work.cut, block.stacked(work), block.panels * work.cut.keys,
                              work.at.scores, work.at.rounded),
                    out);
  for (int r = 0; r < block.rows; ++r)
    for (int j = 0; j < group; ++j) {
      float* row = out + from + r * work.row + std::int64_t{j} * dim;
      const float factor = 1.0f / sum[r * group + j];
      for (int d = 0; d < dim; ++d) row[d] *= factor;
    }
}

// The block's rows of all heads of the group, one after another: [queries x heads, D].
void stack(const Work& work, const Block& block, const void* from) {
  const std::int64_t count = std::int64_t{work.shape.group()} * work.shape.head_dim;
  const std::size_t bytes = static_cast<std::size_t>(count) * (work.cut.bf16 ? 2 : 4);
  for (int r = 0; r < block.rows; ++r)
    std::memcpy(entry_of(work.at.stacked, r * count, work.cut.bf16),
                entry_of(from, (block.first + r) * work.row + work.first_query(), work.cut.bf16),
                bytes);
}
void stack_rounded(const Work& work, const Block& block, const float* from) {
  if (!work.cut.bf16) return stack(work, block, from);
  const std::int64_t count = std::int64_t{work.shape.group()} * work.shape.head_dim;
  for (int r = 0; r < block.rows; ++r)
    to_bf16(count, from + (block.first + r) * work.row + work.first_query(),
            reinterpret_cast<std::uint16_t*>(work.at.stacked) + r * count);
}

// What backward is given beside q, k, v.
struct Given {
  const float *dout, *out, *log_sum;
};

void backward_block(const Work& work, const Block& block, const void* q, const Given& given,
                    float* dq) {
  const AttentionShape& shape = work.shape;
  const Places& at = work.at;
  const int dim = shape.head_dim, group = shape.group(), rows = block.stacked(work);
  const int count = block.panels * work.cut.keys;
  const float scale = 1.0f / std::sqrt(static_cast<float>(dim));
  const std::int64_t from = block.first * work.row + work.first_query();
  multiply_by_key(work, block, at.keys, entry_of(q, from, work.cut.bf16), work.row, at.scores);
  stack_rounded(work, block, given.dout);
  multiply_by_key(work, block, at.values, at.stacked, std::int64_t{group} * dim, at.slopes);
  for (int r = 0; r < block.rows; ++r)
    for (int j = 0; j < group; ++j) {
      const std::int64_t row = from + r * work.row + std::int64_t{j} * dim,
                         score = (r * group + j) * work.cut.wide;
      // What softmax's backward subtracts: sum_d dout * out.
      const float along = dot(dim, given.dout + row, given.out + row);
      const int query = block.first + r;
      soften_backward(span_of(work, block, query), scale,
                      given.log_sum[std::int64_t{work.g * group + j} * shape.time + query], along,
                      at.scores + score, at.slopes + score);
    }
  const float* p = as_factor(work.cut, rows, count, at.scores, at.rounded);
  const float* ds = as_factor(work.cut, rows, count, at.slopes, at.rounded_slopes);
  multiply_by_entry(work, block, at.keys_by_entry, ds, dq);
  turn_rows(work, block);  // of dout
  add_outer(work, block, p, at.dvalues);
  stack(work, block, q);
  turn_rows(work, block);
  add_outer(work, block, ds, at.dkeys);
}

}  // namespace

std::int64_t attention_scratch(const AttentionShape& shape) {
  return Places(shape, Cut(shape), nullptr).floats();
}

void attention(const AttentionShape& shape, int g, const void* q, const void* k, const void* v,
               float* out, float* log_sum, float* scratch) {
  const Work work(shape, g, scratch);
  pack_by_key(work, k, work.at.keys);
  pack_by_entry(work, v, work.at.values);
  for (int first = 0; first < shape.time; first += work.cut.queries)
    forward_block(work, Block(work, first), q, out, log_sum);
}

void attention_backward(const AttentionShape& shape, int g, const float* dout, const void* q,
                        const void* k, const void* v, const float* out, const float* log_sum,
                        float* dq, float* dk, float* dv, float* scratch) {
  const Work work(shape, g, scratch);
  pack_by_key(work, k, work.at.keys);
  pack_by_key(work, v, work.at.values);
  pack_by_entry(work, k, work.at.keys_by_entry);
  std::fill_n(work.at.dkeys, shape.head_dim * work.cut.wide, 0.0f);
  std::fill_n(work.at.dvalues, shape.head_dim * work.cut.wide, 0.0f);
  for (int first = 0; first < shape.time; first += work.cut.queries)
    backward_block(work, Block(work, first), q, {dout, out, log_sum}, dq);
  turn_back(work, work.at.dkeys, dk);
  turn_back(work, work.at.dvalues, dv);
}

}  // namespace freshet::kernels
