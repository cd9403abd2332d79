#include "trainer/kernels/few_rows.h"

#include <algorithm>

#include "trainer/kernels/tile.h"

namespace freshet::kernels {
namespace {

constexpr std::int64_t kPiece = 32;  // rows of W between which threads part; each reads one stretch

std::int64_t pieces_of(const Product& product) { return (product.w.rows + kPiece - 1) / kPiece; }

void multiply_piece(const Product& product, std::int64_t first) {
  const std::int64_t all = product.w.rows, depth = product.x.columns, padded = (depth + 1) / 2 * 2;
  const std::int64_t count = std::min(kPiece, all - first);
  for (std::int64_t n = 0; n < product.x.rows; ++n) {
    float found[kPiece];
    tile_loops().dot_rows({product.w, first, count,
                           product.x.f32 ? product.x.f32 + n * depth : nullptr,
                           product.x.bf16 ? product.x.bf16 + n * padded : nullptr, found});
    float* y = product.y + n * all + first;
    for (std::int64_t j = 0; j < count; ++j) {
      const float value = found[j] + (product.bias ? product.bias[first + j] : 0.0f) +
                          low_rank_entry(product.low, n, first + j, all);
      y[j] = product.accumulate ? y[j] + value : value;
    }
  }
}

}  // namespace

void multiply_few(std::span<const Product> products) {
  std::int64_t pieces = 0, entries = 0;
  for (const Product& product : products) {
    pieces += pieces_of(product);
    entries += product.w.rows * product.w.columns;
  }
#pragma omp parallel for schedule(static) if (entries > kAloneEntries)
  for (std::int64_t piece = 0; piece < pieces; ++piece) {
    std::int64_t left = piece;
    const Product* product = products.data();
    for (; left >= pieces_of(*product); ++product) left -= pieces_of(*product);
    multiply_piece(*product, left * kPiece);
  }
}

void multiply_all(std::span<const Product> products) {
  const bool few = std::all_of(products.begin(), products.end(), [](const Product& product) {
    return product.x.rows < kFewRows && !product.w_by_input;
  });
  if (few && products.size() > 1) return multiply_few(products);
  for (const Product& product : products) multiply(product);
}

}  // namespace freshet::kernels
