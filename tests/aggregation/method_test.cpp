// The schedule of each method, and what it is for: with one factor shared by all nodes the mean of
// the updates is the mean of the products; with both it misses the covariance of B and A over the
// nodes, and exactly that.

#include "aggregation/method.h"

#include <gtest/gtest.h>

#include <cmath>

#include "aggregation/quantize.h"
#include "base/rng.h"

namespace freshet {
namespace {

TEST(Method, TrainsTheFactorsOfItsSchedule) {
  for (std::uint64_t version = 0; version < 6; ++version) {
    EXPECT_EQ(factors_of(Method::kFedit, version), (Factors{.a = true, .b = true}));
    EXPECT_EQ(factors_of(Method::kFfa, version), (Factors{.a = false, .b = true}));
    EXPECT_EQ(factors_of(Method::kFedsvd, version), (Factors{.a = false, .b = true}));
    EXPECT_EQ(factors_of(Method::kFedsb, version), (Factors{.core = true}));
    EXPECT_EQ(factors_of(Method::kRolora, version),
              (Factors{.a = version % 2 == 1, .b = version % 2 == 0}));
  }
}

TEST(Method, NamesAreReadBack) {
  for (const char* name : {"fedit", "ffa", "rolora", "fedsvd", "fed-sb"}) EXPECT_EQ(name_of(*method_named(name)), name);
  EXPECT_EQ(method_named("fedavg").error().what,
            "unknown method \"fedavg\": use fedit, ffa, rolora, fedsvd or fed-sb");
}

// Factors of a few nodes, quantised and added by the code under test, and read off the integers in
// double.
constexpr std::size_t kNodes = 5, kOut = 7, kIn = 6, kRank = 3;
constexpr Grid kGrid{.range = 4, .bits = 16, .weight_max = 50};
using Matrix = std::vector<double>;

struct Fleet {
  std::vector<Matrix> values;  // per node, off its own words
  std::vector<double> share;   // weight / total weight
  Matrix mean;                 // off the sum
};

Fleet fleet_of(Rng& rng, std::size_t entries, std::span<const std::uint32_t> weights) {
  const auto value_of = [](double word, double weight) { return word * 8 / (65535 * weight) - 4; };
  Fleet fleet;
  QuantizedSum sum;
  for (const std::uint32_t weight : weights) {
    ClippedUpdate update{std::vector<float>(entries), weight};
    for (float& value : update.values) value = static_cast<float>(rng.normal());
    const QuantizedUpdate quantized = quantize(update, kGrid, [&](std::span<std::uint32_t> out) {
      for (auto& word : out) word = rng.next_u32();
    });
    EXPECT_TRUE(add(sum, quantized, kGrid));
    fleet.values.emplace_back();
    for (std::size_t i = 0; i < entries; ++i)
      fleet.values.back().push_back(value_of(quantized.words[i], weight));
    fleet.share.push_back(weight);
  }
  for (double& share : fleet.share) share /= sum.words.back();
  for (std::size_t i = 0; i < entries; ++i)
    fleet.mean.push_back(value_of(sum.words[i], sum.words.back()));
  const auto mean = dequantize_mean(sum, kGrid);
  for (std::size_t i = 0; i < entries; ++i)
    EXPECT_EQ(mean->values[i], static_cast<float>(fleet.mean[i]));
  return fleet;
}

void add_product(Matrix& sum, double share, const Matrix& b, const Matrix& a) {  // sum [out, in]
  for (std::size_t o = 0; o < kOut; ++o)
    for (std::size_t i = 0; i < kIn; ++i)
      for (std::size_t r = 0; r < kRank; ++r)
        sum[o * kIn + i] += share * b[o * kRank + r] * a[r * kIn + i];
}

Matrix minus(Matrix left, const Matrix& right) {
  for (std::size_t i = 0; i < left.size(); ++i) left[i] -= right[i];
  return left;
}

double largest(const Matrix& matrix) {
  double largest = 0;
  for (const double value : matrix) largest = std::max(largest, std::fabs(value));
  return largest;
}

constexpr std::array<std::uint32_t, kNodes> kWeights = {1, 50, 7, 13, 20};

TEST(Method, OneFactorAtATimeMakesTheMeanExact) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    Rng rng(seed);
    const Fleet b = fleet_of(rng, kOut * kRank, kWeights);
    Matrix a(kRank * kIn), difference(kOut * kIn);
    for (double& value : a) value = rng.normal();
    for (std::size_t k = 0; k < kNodes; ++k) add_product(difference, b.share[k], b.values[k], a);
    add_product(difference, -1, b.mean, a);
    EXPECT_LT(largest(difference), 1e-12);
  }
}

TEST(Method, FeditMissesExactlyTheCovarianceOfItsFactors) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    Rng rng(seed);
    const Fleet b = fleet_of(rng, kOut * kRank, kWeights), a = fleet_of(rng, kRank * kIn, kWeights);
    Matrix missed(kOut * kIn), covariance(kOut * kIn);
    for (std::size_t k = 0; k < kNodes; ++k) {
      add_product(missed, b.share[k], b.values[k], a.values[k]);
      add_product(covariance, b.share[k], minus(b.values[k], b.mean), minus(a.values[k], a.mean));
    }
    add_product(missed, -1, b.mean, a.mean);
    EXPECT_LT(largest(minus(missed, covariance)), 1e-12);
    EXPECT_GT(largest(missed), 0.1);
  }
}

}  // namespace
}  // namespace freshet
