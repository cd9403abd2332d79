#pragma once
// The innermost loops of a product. They are written once over the width of a vector, in
// tile_loops.h, which each instruction set compiles in a source of its own (tile_avx512.cpp,
// tile_avx2.cpp, tile_portable.cpp) under its own flags; each hands out one TileLoops. No function
// of the standard library there: its inline copies would carry those flags to other processors.

#include <cstdint>
#include <vector>

#include "trainer/kernels/matrix.h"

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

namespace freshet::kernels {

// Up to kPanelColumnsMax columns of y, in the order of the innermost loop: f32 [depth][width], or
// bf16 [depth/2][width][2].
inline constexpr int kPanelColumnsMax = 48;

struct Panel {
  int columns = 0, width = 0;  // those that count; the multiple of the vector that holds them
  std::int64_t depth = 0;      // columns of x
  bool bf16 = false;
  const void* values = nullptr;
  std::int64_t stride =
      0;  // from one row of f32 values to the next: width, or that of the matrix they lie in
  const float* low = nullptr;   // [rank][width]
  const float* bias = nullptr;  // [columns]
};

struct PanelTask {
  std::int64_t rows = 0, x_stride = 0, y_stride = 0, u_stride = 0;
  const float* x = nullptr;
  const std::uint16_t* x_bf16 = nullptr;  // x_stride counts its entries
  const float* u = nullptr;
  int rank = 0;
  bool accumulate = false;
  float* y = nullptr;
};

struct PackTask {
  Matrix w;
  bool w_by_input = false, bf16 = false;
  std::int64_t first = 0;  // column of y
  int columns = 0, width = 0;
  std::int64_t depth = 0;
  void* out = nullptr;
};

// y[j] = sum_k x[k] W[first + j, k] for few rows, without bringing W into another order.
struct RowTask {
  Matrix w;
  std::int64_t first = 0, count = 0;
  const float* x = nullptr;
  const std::uint16_t* x_bf16 = nullptr;
  float* y = nullptr;  // y[j] for j in [0, count)
};

struct TileLoops {
  const char* name;
  int vector;  // entries of one vector
  bool bf16;   // multiplies it
  void (*pack)(const PackTask& task);
  void (*multiply)(const Panel& panel, const PanelTask& task);
  void (*dot_rows)(const RowTask& task);
  void (*to_bf16)(std::int64_t count, const float* values, std::uint16_t* out);
};

// Those that this processor runs, the widest last.
std::vector<const TileLoops*> tile_loops_here();
const TileLoops& tile_loops();  // the widest, unless others were chosen
// REQUIRES: one of tile_loops_here(); no product is being made.
void use_tile_loops(const TileLoops& loops);
const TileLoops& tile_loops_avx512_bf16();
const TileLoops& tile_loops_avx512();
const TileLoops& tile_loops_avx2();
const TileLoops& tile_loops_portable();

}  // namespace freshet::kernels
