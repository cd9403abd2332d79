#pragma once
// Products of a few rows of x, as the next token of a text asks for: bound by the reading of W,
// which is read once, where it lies, in the order in which it lies.

#include <cstdint>
#include <span>

#include "trainer/kernels/product.h"

namespace freshet::kernels {

inline constexpr std::int64_t kFewRows =
    4;  // below this, bringing W into order costs more than it saves

// All of them at once, so that the threads meet once. REQUIRES: fewer than kFewRows rows, no
// w_by_input; no y is another's x.
void multiply_few(std::span<const Product> products);

// Products of one x, of any number of rows: at once where they are few.
void multiply_all(std::span<const Product> products);

}  // namespace freshet::kernels
