#include "trainer/kernels/product.h"

#include <omp.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "trainer/kernels/few_rows.h"
#include "trainer/kernels/no_memory.h"
#include "trainer/kernels/tile.h"

namespace freshet::kernels {
namespace {

// A buffer of each thread that grows to the largest panel and stays.
struct Buffer {
  ~Buffer() { std::free(bytes); }
  void* of(std::size_t wanted) {
    if (wanted > size) {
      std::free(bytes);
      size = (wanted + 4095) / 4096 * 4096;
      bytes = std::aligned_alloc(4096, size);
      if (bytes == nullptr) no_memory(std::exchange(size, 0));
    }
    return bytes;
  }
  void* bytes = nullptr;
  std::size_t size = 0;
};
thread_local Buffer panel_buffer, low_buffer;

struct Split {
  std::int64_t panels = 0, panel_columns = 0, row_parts = 1, part_rows = 0;
};

Split split_of(std::int64_t rows, std::int64_t columns, int vector) {
  Split split;
  const std::int64_t widest =
      std::min<std::int64_t>(kPanelColumnsMax, vector == 16 ? 48 : 2 * vector);
  split.panel_columns = std::min(widest, (columns + vector - 1) / vector * vector);
  split.panels = (columns + split.panel_columns - 1) / split.panel_columns;
  const std::int64_t threads = omp_get_max_threads();
  if (split.panels < 4 * threads && threads > 1)
    split.row_parts = std::max<std::int64_t>(1, std::min(threads, rows / 32));
  split.part_rows = (rows + split.row_parts - 1) / split.row_parts;
  split.part_rows = (split.part_rows + 7) / 8 * 8;
  return split;
}

std::int64_t columns_of(const Product& product) {
  return product.w_by_input ? product.w.columns : product.w.rows;
}

void pack_low(const LowRank& low, std::int64_t first, int columns, int width, std::int64_t all,
              float* out) {
  for (int r = 0; r < low.rank; ++r, out += width)
    for (int j = 0; j < width; ++j)
      out[j] = j >= columns    ? 0.0f
               : low.v_by_rank ? low.v[r * all + first + j]
                               : low.v[(first + j) * low.rank + r];
}

// One panel of columns times the rows [row, row + rows).
void multiply_part(const Product& product, std::int64_t first, int columns, int width,
                   std::int64_t row, std::int64_t rows) {
  const TileLoops& loops = tile_loops();
  const std::int64_t depth = product.x.columns, all = columns_of(product);
  const bool bf16 = product.x.bf16 != nullptr;
  const std::int64_t padded = (depth + 1) / 2 * 2;
  void* values = panel_buffer.of(static_cast<std::size_t>(padded * width) * (bf16 ? 2 : 4));
  loops.pack({product.w, product.w_by_input, bf16, first, columns, width, depth, values});
  Panel panel{columns,
              width,
              bf16 ? padded : depth,
              bf16,
              values,
              width,
              nullptr,
              product.bias ? product.bias + first : nullptr};
  if (product.low.rank > 0) {
    auto* low =
        static_cast<float*>(low_buffer.of(static_cast<std::size_t>(product.low.rank * width) * 4));
    pack_low(product.low, first, columns, width, all, low);
    panel.low = low;
  }
  PanelTask task;
  task.rows = rows;
  task.x_stride = bf16 ? padded : depth;
  task.x = product.x.f32 ? product.x.f32 + row * depth : nullptr;
  task.x_bf16 = bf16 ? product.x.bf16 + row * padded : nullptr;
  task.y_stride = all;
  task.y = product.y + row * all + first;
  task.rank = product.low.rank;
  task.u_stride = product.low.stride();
  task.u = product.low.rank > 0 ? product.low.u + row * task.u_stride : nullptr;
  task.accumulate = product.accumulate;
  loops.multiply(panel, task);
}

void multiply_panels(const Product& product) {
  const int vector = tile_loops().vector;
  const std::int64_t all = columns_of(product);
  const Split split = split_of(product.x.rows, all, vector);
#pragma omp parallel for schedule(static) collapse(2)
  for (std::int64_t part = 0; part < split.row_parts; ++part)
    for (std::int64_t p = 0; p < split.panels; ++p) {
      const std::int64_t row = part * split.part_rows, first = p * split.panel_columns;
      const std::int64_t rows = std::min(split.part_rows, product.x.rows - row);
      const int columns = static_cast<int>(std::min(split.panel_columns, all - first));
      const int width = (columns + vector - 1) / vector * vector;
      if (rows > 0) multiply_part(product, first, columns, width, row, rows);
    }
}

const TileLoops*& chosen_loops() {
  static const TileLoops* chosen = tile_loops_here().back();
  return chosen;
}

}  // namespace

bool multiplies_bf16() { return tile_loops().bf16; }

std::vector<const TileLoops*> tile_loops_here() {
  std::vector<const TileLoops*> here = {&tile_loops_portable()};
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    here.push_back(&tile_loops_avx2());
  const bool wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                    __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  if (wide) here.push_back(&tile_loops_avx512());
  if (wide && __builtin_cpu_supports("avx512bf16")) here.push_back(&tile_loops_avx512_bf16());
#endif
  return here;
}

const TileLoops& tile_loops() { return *chosen_loops(); }

void use_tile_loops(const TileLoops& loops) { chosen_loops() = &loops; }

void multiply(const Product& product) {
  const std::int64_t depth = product.w_by_input ? product.w.rows : product.w.columns;
  CHECK(product.x.columns == depth && (product.x.f32 || product.x.bf16),
        "{} columns of x, depth {}", product.x.columns, depth);
  CHECK(product.x.bf16 == nullptr || multiplies_bf16());
  if (product.x.rows == 0) return;
  if (product.x.rows < kFewRows)
    return product.w_by_input ? multiply_few_by_input(product) : multiply_few({&product, 1});
  multiply_panels(product);
}

namespace {

// scale a^T [m, rows], so that its rows run along the depth.
void turn(const Outer& outer, float* turned) {
  const std::int64_t stride = outer.a_stride > 0 ? outer.a_stride : outer.m;
#pragma omp for schedule(static) nowait
  for (std::int64_t n = 0; n < outer.rows; n += 64)
    for (std::int64_t i = 0; i < outer.m; ++i)
      for (std::int64_t k = n; k < std::min(outer.rows, n + 64); ++k)
        turned[i * outer.rows + k] = outer.scale * outer.a[k * stride + i];
}

// Columns [first, first + panel.columns) of c.
void multiply_turned(const Outer& outer, const Panel& panel, std::int64_t first,
                     const float* turned) {
  PanelTask task;
  task.rows = outer.m;
  task.x = turned;
  task.x_stride = outer.rows;
  if (!outer.turned) {
    task.y = outer.c + first;
    task.y_stride = outer.columns;
    task.accumulate = outer.accumulate;
    return tile_loops().multiply(panel, task);
  }
  task.y_stride = kPanelColumnsMax;
  auto* sums =
      static_cast<float*>(low_buffer.of(static_cast<std::size_t>(outer.m * kPanelColumnsMax) * 4));
  task.y = sums;
  tile_loops().multiply(panel, task);
  for (std::int64_t j = 0; j < panel.columns; ++j)
    for (std::int64_t i = 0; i < outer.m; ++i) {
      float& c = outer.c[(first + j) * outer.m + i];
      c = (outer.accumulate ? c : 0.0f) + sums[i * kPanelColumnsMax + j];
    }
}

}  // namespace

void multiply_transposed(std::span<const Outer> outers) {
  const TileLoops& loops = tile_loops();
  const Outer& one = outers.front();
  std::int64_t all = 0;
  for (const Outer& outer : outers) all += outer.m;
  const Split split = split_of(all, one.columns, loops.vector);
  thread_local Buffer turned_buffer;
  auto* turned =
      static_cast<float*>(turned_buffer.of(static_cast<std::size_t>(all * one.rows) * 4));
#pragma omp parallel
  {
    std::int64_t at = 0;
    for (const Outer& outer : outers) {
      turn(outer, turned + at * one.rows);
      at += outer.m;
    }
#pragma omp barrier
#pragma omp for schedule(static)
    for (std::int64_t p = 0; p < split.panels; ++p) {
      const std::int64_t first = p * split.panel_columns;
      const int columns = static_cast<int>(std::min(split.panel_columns, one.columns - first));
      const int width = (columns + loops.vector - 1) / loops.vector * loops.vector;
      // Few rows of c: b is read as it lies, but for a last panel that is not whole.
      const float* values = one.b + first;
      std::int64_t stride = one.columns;
      if (columns < width) {
        void* packed = panel_buffer.of(static_cast<std::size_t>(one.rows * width) * 4);
        const Matrix b{Form::kF32, one.rows, one.columns, one.b, nullptr};
        loops.pack({b, true, false, first, columns, width, one.rows, packed});
        values = static_cast<const float*>(packed);
        stride = width;
      }
      const Panel panel{columns, width, one.rows, false, values, stride, nullptr, nullptr};
      std::int64_t row = 0;
      for (const Outer& outer : outers) {
        multiply_turned(outer, panel, first, turned + row * one.rows);
        row += outer.m;
      }
    }
  }
}

}  // namespace freshet::kernels
