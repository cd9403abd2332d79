#include "aggregation/clip.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/rng.h"

namespace freshet {
namespace {

double norm_of(const std::vector<float>& values) {
  double squares = 0;
  for (const double value : values) squares += value * value;
  return std::sqrt(squares);
}

TEST(Clip, LeavesAnUpdateInsideTheBoundBitForBit) {
  const Update update{{3, -4, 0.1f}, 7};
  const auto clipped = clip(update, 5.1);
  ASSERT_TRUE(clipped);
  EXPECT_EQ(clipped->update.values, update.values);
  EXPECT_EQ(clipped->update.weight, 7u);
  EXPECT_NEAR(clipped->norm_before, std::sqrt(25.01), 1e-6);
}

TEST(Clip, ScalesToTheBoundAndKeepsTheDirection) {
  const auto clipped = clip({{6, -8, 0}, 1}, 5);
  ASSERT_TRUE(clipped);
  EXPECT_EQ(clipped->update.values, (std::vector<float>{3, -4, 0}));
  EXPECT_DOUBLE_EQ(clipped->norm_before, 10);
}

TEST(Clip, NeverExceedsTheBoundByRounding) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(seed);
    Rng rng(seed);
    Update update{std::vector<float>(1 + rng.below(300)), 1};
    for (float& value : update.values) value = static_cast<float>(rng.normal() * 1e3);
    const double bound = 1e-3 + rng.uniform();
    const auto clipped = clip(update, bound);
    ASSERT_TRUE(clipped);
    const double norm = norm_of(clipped->update.values);
    EXPECT_LE(norm, bound * (1 + 1e-15));
    EXPECT_GE(norm, bound * (1 - 1e-6));
  }
}

TEST(Clip, TakesTheZeroAndTheEmptyUpdate) {
  EXPECT_EQ(clip({{0, 0}, 1}, 1)->update.values, (std::vector<float>{0, 0}));
  EXPECT_EQ(clip({{}, 1}, 1)->norm_before, 0);
}

TEST(Clip, TakesTheLargestFloatsWithoutOverflow) {
  const float huge = std::numeric_limits<float>::max();
  const auto clipped = clip({std::vector<float>(100, huge), 1}, 1);
  ASSERT_TRUE(clipped);
  EXPECT_NEAR(clipped->update.values[99], 0.1, 1e-7);
}

TEST(Clip, RefusesNanAndInfinityAndNamesTheEntry) {
  const float nan = std::nanf(""), infinity = std::numeric_limits<float>::infinity();
  const auto bad = clip({{1, 2, nan, infinity}, 1}, 1);
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().code, Code::kBadInput);
  EXPECT_EQ(bad.error().what,
            "entry 2 of 4 of the update is nan: training diverged; lower the learning rate");
  EXPECT_EQ(clip({{1, -infinity}, 1}, 1).error().what,
            "entry 1 of 2 of the update is -inf: training diverged; lower the learning rate");
}

}  // namespace
}  // namespace freshet
