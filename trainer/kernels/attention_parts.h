#pragma once
// How attention.cpp's work is cut into what the tiles of tile.h multiply, and the products of one
// block of queries.

#include <algorithm>

#include "trainer/kernels/attention.h"
#include "trainer/kernels/tile.h"

namespace freshet::kernels::attention_parts {

// Queries of a block, all heads of a group counted, and what a block's scores may take.
constexpr int kBlockRows = 96, kBlockQueriesMax = 64;
constexpr std::int64_t kBlockScores = 128 * 1024;

inline std::int64_t up_to(std::int64_t count, std::int64_t whole) {
  return (count + whole - 1) / whole * whole;
}

// How one head's work is cut: keys in panels that are as wide as a tile, the entries of a head in
// panels of equal width.
struct Cut {
  explicit Cut(const AttentionShape& shape) : bf16(shape.bf16) {
    const int vector = tile_loops().vector;
    const int widest = vector == 16 ? kPanelColumnsMax : 2 * vector;
    keys = std::min<int>(2 * vector, static_cast<int>(up_to(shape.time, vector)));
    key_panels = (shape.time + keys - 1) / keys;
    wide = up_to(std::int64_t{key_panels} * keys, 2);
    if (wide % 128 == 0) wide += 16;  // rows a power of two apart would share few cache sets
    const int parts = (shape.head_dim + widest - 1) / widest;
    entries = static_cast<int>(up_to((shape.head_dim + parts - 1) / parts, vector));
    entry_panels = (shape.head_dim + entries - 1) / entries;
    const int group = shape.group();
    const auto fitting = static_cast<int>(kBlockScores / (group * wide));
    queries = std::clamp(std::min(kBlockRows / group, fitting), 8, kBlockQueriesMax) / 8 * 8;
    stacked = static_cast<int>(up_to(std::int64_t{group} * queries, 16));
  }
  bool bf16;
  int keys, key_panels;       // of a panel; panels
  std::int64_t wide;          // floats (or bf16) from one row of scores to the next
  int entries, entry_panels;  // of a head
  int queries, stacked;       // of a block; those of all heads of the group, in whole vectors
};

// Places of one head's work in the scratch memory, or how much there is to be.
class Places {
 public:
  Places(const AttentionShape& shape, const Cut& cut, float* scratch) : at_(scratch) {
    const std::int64_t time = up_to(shape.time, 2), dim = shape.head_dim;
    const std::int64_t by_key = std::int64_t{cut.key_panels} * cut.keys * dim,
                       by_entry = std::int64_t{cut.entry_panels} * cut.entries * time,
                       block = cut.stacked * cut.wide, rows = std::int64_t{cut.stacked} * dim;
    const auto factors = [&](std::int64_t count) {
      return take(cut.bf16 ? (count + 1) / 2 : count);
    };
    keys = factors(by_key);
    values = factors(std::max(by_key, by_entry));
    keys_by_entry = factors(by_entry);
    scores = take(block);
    slopes = take(block);
    dkeys = take(dim * cut.wide);
    dvalues = take(dim * cut.wide);
    stacked = factors(rows);
    turned = factors(rows);
    if (!cut.bf16) return;
    rounded = factors(block);
    rounded_slopes = factors(block);
    pairs = take(rows / 2);
    panel = take(std::int64_t{cut.stacked} * cut.keys / 2);
  }
  std::int64_t floats() const { return count_; }

  float *keys, *values, *keys_by_entry;  // panels
  float *scores, *slopes;                // [queries of a block x heads of a group, wide]
  float *dkeys, *dvalues;                // [D, wide]
  float *stacked, *turned;               // rows of a block [., D], and their transpose
  float *rounded = nullptr, *rounded_slopes = nullptr, *pairs = nullptr, *panel = nullptr;

 private:
  float* take(std::int64_t count) {
    float* here = at_ == nullptr ? nullptr : at_ + count_;
    count_ += up_to(count, 16);
    return here;
  }
  float* at_;
  std::int64_t count_ = 0;
};

// What one call works on.
struct Work {
  Work(const AttentionShape& of, int head, float* scratch)
      : shape(of), cut(of), at(of, cut, scratch), g(head), row(of.heads * of.head_dim) {}
  const AttentionShape& shape;
  Cut cut;
  Places at;
  int g;
  std::int64_t row;  // entries from one position's queries to the next
  std::int64_t first_query() const {
    return std::int64_t{g} * shape.group() * shape.head_dim;  // entry of the row
  }
};

// Queries [first, first + rows) and the keys that any of them sees: [begin, end), begin at the
// start of a panel.
struct Block {
  Block(const Work& work, int at)
      : first(at),
        rows(std::min(work.cut.queries, work.shape.time - at)),
        begin(seen_by(work.shape, at) / work.cut.keys * work.cut.keys),
        end(at + rows),
        panels((end - begin + work.cut.keys - 1) / work.cut.keys) {}
  static int seen_by(const AttentionShape& shape, int query) {
    return shape.first_seen ? shape.first_seen[query] : 0;
  }
  int first, rows, begin, end, panels;
  int stacked(const Work& work) const { return rows * work.shape.group(); }
};

const void* entry_of(const void* values, std::int64_t index, bool bf16);
float* entry_of(float* values, std::int64_t index, bool bf16);

// Keys or values [T,G,D] of head g, so that rows of D entries multiply with them.
void pack_by_key(const Work& work, const void* from, float* to);
// The same, so that rows of weights of keys multiply with them.
void pack_by_entry(const Work& work, const void* from, float* to);

// scores [queries x heads, wide] = x K^T over the block's keys; x of query r and head j at r *
// x_stride + j * D.
void multiply_by_key(const Work& work, const Block& block, const float* panels, const void* x,
                     std::int64_t x_stride, float* scores);
// out [T,H,D] = weights V over the block's keys.
void multiply_by_entry(const Work& work, const Block& block, const float* panels,
                       const float* weights, float* out);
// The block's rows [queries x heads, D] -> work.at.turned [D, cut.stacked].
void turn_rows(const Work& work, const Block& block);
// gradient [D, wide] += turned rows times weights [queries x heads, wide].
void add_outer(const Work& work, const Block& block, const float* weights, float* gradient);

}  // namespace freshet::kernels::attention_parts
