#include "base/rng.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

namespace freshet {
namespace {

using Block = std::array<std::uint32_t, 4>;

// Philox4x32-10 of the Random123 known-answer file. Its counter words are ours: counter, then
// stream; its key is the seed.
TEST(Philox, GivesTheKnownAnswers) {
  const std::uint64_t ones = ~std::uint64_t{0};
  EXPECT_EQ(philox(0, 0, 0), (Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox(ones, ones, ones), (Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox(0x299f31d0a4093822, 0x0370734413198a2e, 0x85a308d3243f6a88),
            (Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Rng, IsTheBlocksOfItsStreamInOrder) {
  Rng rng(5, 9);
  for (std::uint64_t block = 0; block < 3; ++block)
    for (const std::uint32_t word : philox(5, 9, block)) EXPECT_EQ(rng.next_u32(), word);
  Rng wide(5, 9);
  const Block first = philox(5, 9, 0);
  EXPECT_EQ(wide.next_u64(), first[0] | std::uint64_t{first[1]} << 32);
  EXPECT_NE(Rng(5, 10).next_u64(), Rng(5, 9).next_u64());
  EXPECT_NE(Rng(6, 9).next_u64(), Rng(5, 9).next_u64());
}

TEST(Rng, BelowIsUniform) {
  for (const std::uint64_t bound : {1u, 2u, 3u, 7u}) {
    Rng rng(11, bound);
    std::map<std::uint64_t, int> counts;
    constexpr int kDraws = 70'000;
    for (int i = 0; i < kDraws; ++i) ++counts[rng.below(bound)];
    ASSERT_EQ(counts.size(), bound);
    double chi2 = 0;
    const double expected = static_cast<double>(kDraws) / static_cast<double>(bound);
    for (auto [value, count] : counts) {
      EXPECT_LT(value, bound);
      chi2 += (count - expected) * (count - expected) / expected;
    }
    EXPECT_LT(chi2, 30.0) << "bound " << bound;  // p < 1e-4 at six degrees of freedom
  }
}

TEST(Rng, BelowALargeBoundHasNoModuloBias) {
  // 2/3 of the range: modulo without rejection would put twice as many draws into the lower half.
  const std::uint64_t bound = (~std::uint64_t{0} / 3) * 2;
  Rng rng(12);
  int lower = 0;
  for (int i = 0; i < 20'000; ++i) lower += rng.below(bound) < bound / 2;
  EXPECT_NEAR(lower, 10'000, 400);
}

TEST(RngDeathTest, BelowZeroIsABug) {
  Rng rng(1);
  EXPECT_DEATH(rng.below(0), "bug at");
}

TEST(Rng, UniformAndNormalHaveTheirMoments) {
  Rng rng(13);
  double sum = 0, normal_sum = 0, squares = 0, lowest = 1, highest = 0;
  constexpr int kDraws = 100'000;
  for (int i = 0; i < kDraws; ++i) {
    const double u = rng.uniform(), n = rng.normal();
    lowest = std::min(lowest, u);
    highest = std::max(highest, u);
    sum += u;
    normal_sum += n;
    squares += n * n;
    ASSERT_TRUE(std::isfinite(n));
  }
  EXPECT_GE(lowest, 0.0);
  EXPECT_LT(highest, 1.0);
  EXPECT_NEAR(sum / kDraws, 0.5, 0.005);
  EXPECT_NEAR(normal_sum / kDraws, 0.0, 0.02);
  EXPECT_NEAR(squares / kDraws, 1.0, 0.03);
}

}  // namespace
}  // namespace freshet
