#pragma once
// y = x W^T (+ bias) (+ u V^T): matrix products with a weight in any form, spread over OpenMP's
// threads. A weight is brought into the order of the innermost loop panel by panel, so that it may
// stay where its file is mapped.

#include <span>

#include "trainer/kernels/matrix.h"

namespace freshet::kernels {

bool multiplies_bf16();  // the processor has an instruction for it

// x [rows, columns], f32, and the same rounded to bf16 where products are to be made of that (else
// null).
struct Operand {
  std::int64_t rows = 0, columns = 0;
  const float* f32 = nullptr;
  const std::uint16_t* bf16 = nullptr;  // each row padded to an even number of entries with zero
};

// A term of low rank: u [rows, rank] times v, in f32.
struct LowRank {
  const float* u = nullptr;
  const float* v = nullptr;  // [columns of y, rank], or [rank, columns of y] where v_by_rank
  int rank = 0;              // 0: no such term
  bool v_by_rank = false;
  int u_stride = 0;  // from one row of u to the next; 0: rank
  std::int64_t stride() const { return u_stride > 0 ? u_stride : rank; }
};

struct Product {
  Operand x;
  Matrix w;                     // [columns of y, columns of x]
  bool w_by_input = false;      // w is [columns of x, columns of y]: y = x W
  const float* bias = nullptr;  // [columns of y]
  LowRank low;
  bool accumulate = false;  // y += instead of y =
  float* y = nullptr;       // [rows, columns of y]
};

// REQUIRES: sizes fit; nothing overlaps y.
void multiply(const Product& product);

// c [m, columns] (+)= a^T b, a [rows, m], b [rows, columns], all f32: what the gradient of a factor
// is.
struct Outer {
  std::int64_t rows = 0, m = 0, columns = 0;
  const float* a = nullptr;
  const float* b = nullptr;
  float scale = 1;
  bool accumulate = false;
  float* c = nullptr;
  std::int64_t a_stride = 0;  // from one row of a to the next; 0: m
  bool turned = false;        // c is [columns, m]
};
// REQUIRES: all of the same rows, columns and b.
void multiply_transposed(std::span<const Outer> outers);
inline void multiply_transposed(const Outer& outer) { multiply_transposed({&outer, 1}); }

}  // namespace freshet::kernels
