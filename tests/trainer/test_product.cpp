// The products of kernels/product.h against the plain triple loop: every form of weight, every
// shape at the edge of a tile.

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "base/rng.h"
#include "tests/trainer/every_tile_loops.h"
#include "trainer/kernels/product.h"
#include "trainer/kernels/tile.h"

namespace freshet::kernels {
namespace {

std::vector<float> random_values(Rng& rng, std::int64_t count) {
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& value : values) value = static_cast<float>(rng.normal());
  return values;
}

float rounded(float value) {
  std::uint16_t half;
  to_bf16(1, &value, &half);
  from_bf16(1, &half, &value);
  return value;
}

// A weight in a form, and what its values are when they are read back.
struct Weight {
  Weight(Form form, std::int64_t rows, std::int64_t columns, const std::vector<float>& from)
      : values(static_cast<std::size_t>(bytes_of(form, rows, columns))),
        scales(static_cast<std::size_t>(scales_of(form, rows, columns)) + 1),
        read(from.size()) {
    for (std::int64_t r = 0; r < rows; ++r)
      write_row(form, columns, from.data() + r * columns,
                values.data() + r * bytes_of(form, 1, columns),
                scales.data() + r * scales_of(form, 1, columns));
    matrix = {form, rows, columns, values.data(), scales.data()};
    for (std::int64_t r = 0; r < rows; ++r)
      read_row(matrix, r, 0, columns, read.data() + r * columns);
  }
  std::vector<char> values;
  std::vector<float> scales, read;
  Matrix matrix;
};

struct Case {
  std::int64_t rows, in, out;
  bool by_input, bf16, accumulate, bias, v_by_rank;
  Form form;
  int rank;
};

double worst_error(const Case& shape, Rng& rng) {
  const auto [rows, in, out, by_input, bf16, accumulate, bias, v_by_rank, form, rank] = shape;
  const std::vector<float> x = random_values(rng, rows * in), u = random_values(rng, rows * rank),
                           v = random_values(rng, out * rank), b = random_values(rng, out),
                           before = random_values(rng, rows * out);
  const std::int64_t w_rows = by_input ? in : out, w_columns = by_input ? out : in,
                     padded = (in + 1) / 2 * 2;
  const Weight weight(form, w_rows, w_columns, random_values(rng, in * out));
  std::vector<std::uint16_t> halves(static_cast<std::size_t>(rows * padded));
  for (std::int64_t n = 0; n < rows; ++n)
    to_bf16(in, x.data() + n * in, halves.data() + n * padded);
  std::vector<float> y = before;
  multiply({{rows, in, bf16 ? nullptr : x.data(), bf16 ? halves.data() : nullptr},
            weight.matrix,
            by_input,
            bias ? b.data() : nullptr,
            {u.data(), v.data(), rank, v_by_rank},
            accumulate,
            y.data()});
  double worst = 0;
  for (std::int64_t n = 0; n < rows; ++n)
    for (std::int64_t o = 0; o < out; ++o) {
      double sum = (accumulate ? before[n * out + o] : 0.0f) + (bias ? b[o] : 0.0f);
      for (std::int64_t k = 0; k < in; ++k) {
        const float w = weight.read[by_input ? k * out + o : o * in + k], from = x[n * in + k];
        sum += bf16 ? double{rounded(from)} * rounded(w) : double{from} * w;
      }
      for (int r = 0; r < rank; ++r)
        sum += double{u[n * rank + r]} * v[v_by_rank ? r * out + o : o * rank + r];
      worst = std::max(worst, std::fabs(sum - y[n * out + o]));
    }
  return worst;
}

void check_products() {
  constexpr std::uint64_t kSeed = 11;
  Rng rng(kSeed);
  for (int trial = 0; trial < 150; ++trial) {
    Case shape{};
    shape.rows = 1 + static_cast<std::int64_t>(rng.below(40));
    shape.in = 1 + static_cast<std::int64_t>(rng.below(150));
    shape.out = 1 + static_cast<std::int64_t>(rng.below(150));
    shape.by_input = rng.below(2) == 0;
    shape.form = static_cast<Form>(rng.below(4));
    shape.bf16 = multiplies_bf16() && rng.below(2) == 0;
    if (shape.rows < 4 && shape.form != Form::kBf16)
      shape.bf16 = false;  // few rows want f32 beside
    shape.accumulate = rng.below(2) == 0;
    shape.bias = rng.below(2) == 0;
    shape.v_by_rank = rng.below(2) == 0;
    shape.rank = rng.below(3) == 0 ? static_cast<int>(rng.below(9)) : 0;
    EXPECT_LT(worst_error(shape, rng), 2e-4)
        << "seed " << kSeed << " trial " << trial << " rows " << shape.rows << " in " << shape.in
        << " out " << shape.out << " form " << static_cast<int>(shape.form);
  }
}

TEST(Product, EqualsThePlainLoopForEveryFormAndShape) { with_every_tile_loops(check_products); }

void check_gradients_of_factors() {
  constexpr std::uint64_t kSeed = 12;
  Rng rng(kSeed);
  for (int trial = 0; trial < 30; ++trial) {
    const auto rows = static_cast<std::int64_t>(1 + rng.below(90)),
               m = static_cast<std::int64_t>(1 + rng.below(20)),
               columns = static_cast<std::int64_t>(1 + rng.below(130));
    const std::vector<float> a = random_values(rng, rows * m),
                             b = random_values(rng, rows * columns),
                             before = random_values(rng, m * columns);
    std::vector<float> c = before;
    multiply_transposed({rows, m, columns, a.data(), b.data(), 0.5f, true, c.data()});
    double worst = 0;
    for (std::int64_t i = 0; i < m; ++i)
      for (std::int64_t j = 0; j < columns; ++j) {
        double sum = before[i * columns + j];
        for (std::int64_t n = 0; n < rows; ++n) sum += 0.5 * a[n * m + i] * b[n * columns + j];
        worst = std::max(worst, std::fabs(sum - c[i * columns + j]));
      }
    EXPECT_LT(worst, 1e-4) << "seed " << kSeed << " trial " << trial;
  }
}

TEST(Product, GradientOfAFactorEqualsThePlainLoop) {
  with_every_tile_loops(check_gradients_of_factors);
}

TEST(Matrix, QuantisedRowsStayNearTheirValues) {
  constexpr std::uint64_t kSeed = 13;
  Rng rng(kSeed);
  const std::vector<float> values = random_values(rng, 8 * 200);
  double worst_int8 = 0, worst_nf4 = 0;
  const Weight int8(Form::kInt8, 8, 200, values), nf4(Form::kNf4, 8, 200, values);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::size_t row = i / 200, block = i % 200 / 64;
    const double int8_scale = int8.scales[row * 4 + block], nf4_scale = nf4.scales[row * 4 + block];
    worst_int8 = std::max(worst_int8, std::fabs(values[i] - int8.read[i]) / int8_scale);
    worst_nf4 = std::max(worst_nf4, std::fabs(values[i] - nf4.read[i]) / nf4_scale);
  }
  EXPECT_LE(worst_int8, 0.5 + 1e-4);
  EXPECT_LE(worst_nf4, 0.152 + 1e-4)
      << "half the widest gap between two values of NF4, from -1 to -0.696";
}

}  // namespace
}  // namespace freshet::kernels
