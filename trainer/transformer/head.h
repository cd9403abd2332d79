#pragma once
// The loss of rows of hidden states, and its gradient, without the logits of all rows ever
// existing: they are made, turned into their own gradient and used, some rows at a time.

#include <span>

#include "trainer/kernels/loops.h"
#include "trainer/transformer/memory.h"
#include "trainer/transformer/transformer.h"

namespace freshet {

// What a teacher says of each row, by row: `kept` ids with their probabilities
// (kernels::distillation).
struct TeacherRows {
  std::vector<std::int64_t> ids;  // [rows, kept]
  std::vector<float> q;           // [rows, kept]
  int kept = 0;
  float temperature = 1, teacher_weight = 0, plain_weight = 1;
  std::vector<float> gate = {};  // [rows], a factor of teacher_weight; empty: 1 everywhere
};

struct Head {
  Head(const Transformer& model, std::int64_t rows_at_a_time);

  // x [rows,C] before the final norm, targets [rows] (-1: does not count). Returns the sum of the
  // losses of those that count, and turns x into factor * d sum / d x where `gradient`.
  double loss(const Transformer& model, std::int64_t rows, std::span<const std::int32_t> targets,
              const TeacherRows* teacher, float factor, bool gradient, float* x);

  // Logits of `rows` rows, [rows,V]. x stays as it is.
  static void logits(const Transformer& model, std::int64_t rows, const float* x, float* out);

  std::int64_t rows_at_a_time;
  Memory<float> normed, z, inverse, mean;
  Memory<std::uint16_t> halves;
};

}  // namespace freshet
