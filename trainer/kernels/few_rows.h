#pragma once
// Products of a few rows of x, as the next token of a text asks for: bound by the reading of W,
// which is read once, where it lies, in the order in which it lies.

#include <cstdint>
#include <span>

#include "trainer/kernels/product.h"

namespace freshet::kernels {

// Below so many rows, bringing W into order costs more than it saves.
inline constexpr std::int64_t kFewRows = 4;
inline constexpr std::int64_t kAloneEntries = 32 * 1024;  // less of W is not worth a second thread

// All of them at once, so that the threads meet once. REQUIRES: fewer than kFewRows rows, no
// w_by_input; no y is another's x.
void multiply_few(std::span<const Product> products);

// The same for a W [columns of x, columns of y].
void multiply_few_by_input(const Product& product);

// Products of one x, of any number of rows: at once where they are few.
void multiply_all(std::span<const Product> products);

// Entry (row, column) of the term of low rank; `columns` those of y.
inline float low_rank_entry(const LowRank& low, std::int64_t row, std::int64_t column,
                            std::int64_t columns) {
  float sum = 0;
  for (int r = 0; r < low.rank; ++r)
    sum += low.u[row * low.stride() + r] *
           (low.v_by_rank ? low.v[r * columns + column] : low.v[column * low.rank + r]);
  return sum;
}

}  // namespace freshet::kernels
