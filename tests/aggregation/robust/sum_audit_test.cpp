#include "aggregation/robust/sum_audit.h"

#include <gtest/gtest.h>

#include <cmath>

#include "aggregation/clip.h"
#include "base/rng.h"

namespace freshet {
namespace {

Update long_update(Rng& rng, std::size_t entries, double scale) {
  Update update;
  for (std::size_t i = 0; i < entries; ++i)
    update.values.push_back(static_cast<float>(scale * rng.normal()));
  return update;
}

QuantizedUpdate rounded(const ClippedUpdate& update, const Grid& grid, Rng& rng) {
  return quantize(update, grid, [&](std::span<std::uint32_t> words) {
    for (std::uint32_t& word : words) word = rng.next_u32();
  });
}

// Nobody who clips is ever refused, whatever the grid.
TEST(SumAudit, LetsEveryClippedUpdateThrough) {
  const std::uint64_t seed = 21;
  SCOPED_TRACE(seed);
  Rng rng(seed);
  for (const int bits : {4, 8, 16, 20})
    for (const std::uint32_t weight : {1u, 3u}) {
      const Grid grid{.range = 1, .bits = bits, .weight_max = weight};
      QuantizedSum sum;
      for (int node = 0; node < 5; ++node) {
        Update update = long_update(rng, 500, 1);
        update.weight = weight;
        const Clipped clipped = clip(std::move(update), 1.0).value();
        const QuantizedUpdate quantized = rounded(clipped.update, grid, rng);
        EXPECT_TRUE(check_norm(quantized, 1, grid)) << bits << " bits, weight " << weight;
        ASSERT_TRUE(add(sum, quantized, grid));
      }
      EXPECT_TRUE(check_norm(dequantize_mean(sum, grid).value(), 1, grid));
    }
}

TEST(SumAudit, RefusesWhoDidNotClip) {
  Rng rng(22);
  const Grid grid{.range = 1, .bits = 16, .weight_max = 1};
  const ClippedUpdate twice{clip(long_update(rng, 500, 1), 2.0).value().update.values, 1};
  const QuantizedUpdate quantized = rounded(twice, grid, rng);
  const auto alone = check_norm(quantized, 1, grid);
  ASSERT_FALSE(alone);
  EXPECT_EQ(alone.error().code, Code::kBadInput);
  EXPECT_TRUE(check_norm(quantized, 2, grid));
  // In a sum it is seen where it outweighs the clipped ones: alone here, not among many.
  QuantizedSum sum;
  ASSERT_TRUE(add(sum, quantized, grid));
  EXPECT_FALSE(check_norm(dequantize_mean(sum, grid).value(), 1, grid));
}

TEST(SumAudit, AllowsForNoise) {
  const std::uint64_t seed = 23;
  SCOPED_TRACE(seed);
  Rng rng(seed);
  const Grid grid{.range = 1, .bits = 16, .weight_max = 1};
  MeanUpdate mean{long_update(rng, 2000, 0.05).values, 10, 10};
  EXPECT_FALSE(check_norm(mean, 1, grid));
  EXPECT_TRUE(check_norm(mean, 1, grid, 0.05));
  for (float& value : mean.values) value *= 2;
  EXPECT_FALSE(check_norm(mean, 1, grid, 0.05));
}

TEST(SumAudit, MeasuresAnglesAndGates) {
  const std::vector<float> a = {1, 0}, b = {0, 2}, c = {-3, 0}, none = {0, 0};
  EXPECT_DOUBLE_EQ(cosine(a, a), 1);
  EXPECT_DOUBLE_EQ(cosine(a, b), 0);
  EXPECT_DOUBLE_EQ(cosine(a, c), -1);
  EXPECT_DOUBLE_EQ(cosine(a, none), 0);
  EXPECT_TRUE(check_gate(2.0, 2.05, 0.05 + 1e-12));
  EXPECT_TRUE(check_gate(2.0, 1.0, 0));
  EXPECT_FALSE(check_gate(2.0, 2.06, 0.05));
  EXPECT_FALSE(check_gate(2.0, std::nan(""), 0.05));
  EXPECT_FALSE(check_gate(2.0, INFINITY, 0.05));
}

}  // namespace
}  // namespace freshet
