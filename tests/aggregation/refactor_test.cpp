#include "aggregation/refactor.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "base/rng.h"

namespace freshet {
namespace {

struct Factors2 {
  std::vector<float> a, b;
  FactorShape shape;
};

Factors2 random_factors(const FactorShape& shape, std::uint64_t seed) {
  Rng rng(seed);
  Factors2 factors{{}, {}, shape};
  for (int i = 0; i < shape.rank * shape.in; ++i)
    factors.a.push_back(static_cast<float>(rng.normal()));
  for (int i = 0; i < shape.out * shape.rank; ++i)
    factors.b.push_back(static_cast<float>(rng.normal()));
  return factors;
}

std::vector<double> product_of(const Factors2& f) {
  std::vector<double> product;
  for (int i = 0; i < f.shape.out; ++i)
    for (int j = 0; j < f.shape.in; ++j) {
      double sum = 0;
      for (int k = 0; k < f.shape.rank; ++k)
        sum += static_cast<double>(f.b[static_cast<std::size_t>(i * f.shape.rank + k)]) *
               f.a[static_cast<std::size_t>(k * f.shape.in + j)];
      product.push_back(sum);
    }
  return product;
}

double row_dot(const Factors2& f, int i, int j) {
  double sum = 0;
  for (int k = 0; k < f.shape.in; ++k)
    sum += static_cast<double>(f.a[static_cast<std::size_t>(i * f.shape.in + k)]) *
           f.a[static_cast<std::size_t>(j * f.shape.in + k)];
  return sum;
}

double column_dot(const Factors2& f, int i, int j) {
  double sum = 0;
  for (int k = 0; k < f.shape.out; ++k)
    sum += static_cast<double>(f.b[static_cast<std::size_t>(k * f.shape.rank + i)]) *
           f.b[static_cast<std::size_t>(k * f.shape.rank + j)];
  return sum;
}

void expect_same_product(const Factors2& before, const Factors2& after) {
  const std::vector<double> old_product = product_of(before), new_product = product_of(after);
  double largest = 0;
  for (const double value : old_product) largest = std::max(largest, std::fabs(value));
  for (std::size_t i = 0; i < old_product.size(); ++i)
    ASSERT_NEAR(new_product[i], old_product[i], 2e-6 * largest);
}

void expect_orthonormal(const Factors2& factors) {
  for (int i = 0; i < factors.shape.rank; ++i)
    for (int j = 0; j <= i; ++j) EXPECT_NEAR(row_dot(factors, i, j), i == j ? 1 : 0, 1e-6);
}

TEST(Refactor, KeepsTheProductAndMakesTheRowsOfAOrthonormal) {
  for (const FactorShape shape : {FactorShape{1, 5, 7}, FactorShape{4, 32, 24},
                                  FactorShape{8, 16, 4}, FactorShape{8, 128, 344}}) {
    const Factors2 before = random_factors(shape, 3);
    Factors2 after = before;
    refactor(after.a, after.b, shape);
    expect_same_product(before, after);
    expect_orthonormal(after);
    for (int i = 0; i < shape.rank; ++i)
      for (int j = 0; j < i; ++j) {
        EXPECT_NEAR(column_dot(after, i, j), 0, 1e-4 * column_dot(after, 0, 0));
        EXPECT_LE(
            column_dot(after, i, i),
            column_dot(after, j, j) + 1e-6 * column_dot(after, 0, 0));  // by falling singular value
      }
  }
}

TEST(Refactor, ChangesNothingMoreTheSecondTime) {
  Factors2 once = random_factors({4, 32, 24}, 5);
  refactor(once.a, once.b, once.shape);
  Factors2 twice = once;
  refactor(twice.a, twice.b, twice.shape);
  for (std::size_t i = 0; i < once.a.size(); ++i)
    EXPECT_NEAR(std::fabs(twice.a[i]), std::fabs(once.a[i]), 1e-5);
}

TEST(Refactor, LeavesAWhereBIsZero) {
  const Factors2 before = random_factors({4, 32, 24}, 7);
  Factors2 after = before;
  std::fill(after.b.begin(), after.b.end(), 0.0f);
  refactor(after.a, after.b, after.shape);
  EXPECT_EQ(after.a, before.a);
}

TEST(Refactor, KeepsAllItsRowsWhereTheProductHasLowerRank) {
  Factors2 before = random_factors({4, 32, 24}, 9);
  for (std::size_t i = 0; i < 24; ++i) {
    before.b[i * 4 + 2] = 0;
    before.b[i * 4 + 3] = 2 * before.b[i * 4 + 1];
  }
  Factors2 after = before;
  refactor(after.a, after.b, after.shape);
  expect_same_product(before, after);
  expect_orthonormal(after);
  EXPECT_NEAR(column_dot(after, 2, 2), 0, 1e-9);
  // The spare rows are of A's own space: no row of A has anything outside the new rows.
  for (int i = 0; i < 4; ++i) {
    double inside = 0, whole = row_dot(before, i, i);
    for (int k = 0; k < 4; ++k) {
      double along = 0;
      for (std::size_t at = 0; at < 32; ++at)
        along += static_cast<double>(before.a[static_cast<std::size_t>(i) * 32 + at]) *
                 after.a[static_cast<std::size_t>(k) * 32 + at];
      inside += along * along;
    }
    EXPECT_NEAR(inside / whole, 1, 1e-5);
  }
}

}  // namespace
}  // namespace freshet
