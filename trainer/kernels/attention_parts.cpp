#include "trainer/kernels/attention_parts.h"

#include "trainer/kernels/simd.h"

namespace freshet::kernels::attention_parts {
namespace {

Matrix rows_of(std::int64_t rows, std::int64_t columns, const void* values, bool bf16) {
  return {bf16 ? Form::kBf16 : Form::kF32, rows, columns, values, nullptr};
}

// TileRows that multiply, and where their products go.
struct TileRows {
  std::int64_t count;
  const void* x;
  std::int64_t x_stride;
  float* y;
  std::int64_t y_stride;
};

void multiply(const Panel& panel, const TileRows& rows, bool accumulate) {
  PanelTask task;
  task.rows = rows.count;
  task.x_stride = rows.x_stride;
  if (panel.bf16)
    task.x_bf16 = static_cast<const std::uint16_t*>(rows.x);
  else
    task.x = static_cast<const float*>(rows.x);
  task.y = rows.y;
  task.y_stride = rows.y_stride;
  task.accumulate = accumulate;
  tile_loops().multiply(panel, task);
}

// Two rows of halves side by side -> one after the other.
FRESHET_SIMD void part_pairs(std::int64_t count, const std::uint32_t* __restrict pairs,
                             std::uint16_t* __restrict even, std::uint16_t* __restrict odd) {
  for (std::int64_t i = 0; i < count; ++i) {
    even[i] = static_cast<std::uint16_t>(pairs[i]);
    odd[i] = static_cast<std::uint16_t>(pairs[i] >> 16);
  }
}

}  // namespace

const void* entry_of(const void* values, std::int64_t index, bool bf16) {
  return static_cast<const char*>(values) + index * (bf16 ? 2 : 4);
}
float* entry_of(float* values, std::int64_t index, bool bf16) {
  return bf16 ? reinterpret_cast<float*>(reinterpret_cast<std::uint16_t*>(values) + index)
              : values + index;
}

void pack_by_key(const Work& work, const void* from, float* to) {
  const AttentionShape& shape = work.shape;
  const Cut& cut = work.cut;
  const std::int64_t dim = shape.head_dim;
  const Matrix matrix =
      rows_of(shape.time, shape.kv_heads * dim, entry_of(from, work.g * dim, cut.bf16), cut.bf16);
  for (int p = 0; p < cut.key_panels; ++p) {
    const int first = p * cut.keys;
    tile_loops().pack({matrix, false, cut.bf16, first, std::min(cut.keys, shape.time - first),
                       cut.keys, dim, entry_of(to, first * dim, cut.bf16)});
  }
}

void pack_by_entry(const Work& work, const void* from, float* to) {
  const AttentionShape& shape = work.shape;
  const Cut& cut = work.cut;
  const int dim = shape.head_dim;
  const Matrix matrix = rows_of(shape.time, std::int64_t{shape.kv_heads} * dim,
                                entry_of(from, std::int64_t{work.g} * dim, cut.bf16), cut.bf16);
  for (int p = 0; p < cut.entry_panels; ++p) {
    const int first = p * cut.entries;
    tile_loops().pack({matrix, true, cut.bf16, first, std::min(cut.entries, dim - first),
                       cut.entries, shape.time,
                       entry_of(to, first * up_to(shape.time, 2), cut.bf16)});
  }
}

void multiply_by_key(const Work& work, const Block& block, const float* panels, const void* x,
                     std::int64_t x_stride, float* scores) {
  const Cut& cut = work.cut;
  const std::int64_t dim = work.shape.head_dim;
  const int group = work.shape.group();
  for (int p = 0; p < block.panels; ++p) {
    const std::int64_t key = block.begin + std::int64_t{p} * cut.keys;
    const Panel panel{cut.keys,
                      cut.keys,
                      dim,
                      cut.bf16,
                      entry_of(static_cast<const void*>(panels), key * dim, cut.bf16),
                      cut.keys,
                      nullptr,
                      nullptr};
    for (int j = 0; j < group; ++j)
      multiply(panel,
               {block.rows, entry_of(x, j * dim, cut.bf16), x_stride,
                scores + j * cut.wide + std::int64_t{p} * cut.keys, group * cut.wide},
               false);
  }
}

void multiply_by_entry(const Work& work, const Block& block, const float* panels,
                       const float* weights, float* out) {
  const Cut& cut = work.cut;
  const int dim = work.shape.head_dim, group = work.shape.group();
  const std::int64_t depth = up_to(block.end - block.begin, cut.bf16 ? 2 : 1);
  for (int p = 0; p < cut.entry_panels; ++p) {
    const std::int64_t first = std::int64_t{p} * cut.entries;
    const std::int64_t from =
        first * up_to(work.shape.time, 2) + std::int64_t{block.begin} * cut.entries;
    const Panel panel{static_cast<int>(std::min<std::int64_t>(cut.entries, dim - first)),
                      cut.entries,
                      depth,
                      cut.bf16,
                      entry_of(static_cast<const void*>(panels), from, cut.bf16),
                      cut.entries,
                      nullptr,
                      nullptr};
    for (int j = 0; j < group; ++j)
      multiply(panel,
               {block.rows, entry_of(static_cast<const void*>(weights), j * cut.wide, cut.bf16),
                group * cut.wide,
                out + block.first * work.row + work.first_query() + std::int64_t{j} * dim + first,
                work.row},
               false);
  }
}

void turn_rows(const Work& work, const Block& block) {
  const Cut& cut = work.cut;
  const std::int64_t dim = work.shape.head_dim;
  const int rows = block.stacked(work);
  tile_loops().pack({rows_of(rows, dim, work.at.stacked, cut.bf16), false, cut.bf16, 0, rows,
                     cut.stacked, dim, cut.bf16 ? work.at.pairs : work.at.turned});
  if (!cut.bf16) return;
  auto* to = reinterpret_cast<std::uint16_t*>(work.at.turned);
  for (std::int64_t d = 0; d < dim; d += 2)
    part_pairs(cut.stacked,
               reinterpret_cast<const std::uint32_t*>(work.at.pairs) + d / 2 * cut.stacked,
               to + d * cut.stacked, to + (d + 1) * cut.stacked);
}

void add_outer(const Work& work, const Block& block, const float* weights, float* gradient) {
  const Cut& cut = work.cut;
  const std::int64_t depth = block.stacked(work);
  for (int p = 0; p < block.panels; ++p) {
    const std::int64_t first = std::int64_t{p} * cut.keys;
    const void* values = weights + first;
    std::int64_t stride = cut.wide;
    if (cut.bf16) {
      tile_loops().pack({rows_of(depth, cut.wide, weights, true), true, true, first, cut.keys,
                         cut.keys, depth, work.at.panel});
      values = work.at.panel;
      stride = cut.keys;
    }
    multiply({cut.keys, cut.keys, up_to(depth, cut.bf16 ? 2 : 1), cut.bf16, values, stride, nullptr,
              nullptr},
             {work.shape.head_dim, work.at.turned, cut.stacked, gradient + block.begin + first,
              cut.wide},
             true);
  }
}

}  // namespace freshet::kernels::attention_parts
