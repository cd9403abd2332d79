#include "aggregation/robust/groups.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "aggregation/mask.h"
#include "aggregation/robust/opened.h"
#include "base/rng.h"

namespace freshet {
namespace {

Digest seed_of(std::uint8_t byte) {
  Digest seed{};
  seed.fill(byte);
  return seed;
}

TEST(Groups, HoldEveryMemberOnceInEvenSizes) {
  const auto split = split_into_groups(seed_of(3), 103, 12);
  ASSERT_EQ(split.size(), 12u);
  std::set<std::uint32_t> seen;
  for (const auto& group : split) {
    EXPECT_GE(group.size(), 8u);
    EXPECT_LE(group.size(), 9u);
    EXPECT_TRUE(std::is_sorted(group.begin(), group.end()));
    seen.insert(group.begin(), group.end());
  }
  EXPECT_EQ(seen.size(), 103u);
  EXPECT_EQ(*seen.rbegin(), 102u);
  EXPECT_EQ(split_into_groups(seed_of(3), 103, 12), split);
  EXPECT_NE(split_into_groups(seed_of(4), 103, 12), split);
}

// Two members share one of 10 groups of 10 with probability 9 / 99.
TEST(Groups, AreDrawnWithoutFavour) {
  int together = 0;
  for (int round = 0; round < 4000; ++round) {
    Digest seed{};
    seed[0] = static_cast<std::uint8_t>(round);
    seed[1] = static_cast<std::uint8_t>(round >> 8);
    for (const auto& group : split_into_groups(seed, 100, 10))
      together += std::binary_search(group.begin(), group.end(), 0u) &&
                  std::binary_search(group.begin(), group.end(), 1u);
  }
  EXPECT_NEAR(together / 4000., 9 / 99., 4 * std::sqrt(0.0909 * 0.909 / 4000));
}

TEST(Groups, AreAsManyAsStandThePoisonedNodes) {
  const GroupRule rule{Median{}, 8, 3};
  EXPECT_EQ(groups_of(rule, 72).value(), 9u);
  EXPECT_EQ(groups_of(rule, 79).value(), 9u);
  const auto few = groups_of(rule, 71);
  ASSERT_FALSE(few);
  EXPECT_NE(few.error().what.find("9 groups"), std::string::npos) << few.error().what;
  EXPECT_FALSE(groups_of(GroupRule{Bulyan{3}, 8, 3}, 72));  // the rule itself wants 15
  EXPECT_TRUE(groups_of(GroupRule{Bulyan{3}, 8, 3}, 120));
}

TEST(Groups, StateWhatTheyCostInPrivacy) {
  const GroupCost cost = cost_of(103, 12);
  EXPECT_EQ(cost.releases, 12u);
  EXPECT_EQ(cost.hidden_in, 8u);
  EXPECT_NEAR(cost.noise_factor, std::sqrt(12.), 1e-12);
}

// Each group's mean is of its members alone; the rule over means does what it did over updates.
TEST(Groups, KeepPoisonedNodesFromDeciding) {
  const std::uint64_t seed = 11;
  SCOPED_TRACE(seed);
  Rng rng(seed);
  const GroupRule rule{Median{}, 8, 3};
  const std::uint32_t members = 80;
  const auto split = split_into_groups(seed_of(9), members, groups_of(rule, members).value());
  std::vector<MeanUpdate> means;
  for (const auto& group : split) {
    MeanUpdate mean{std::vector<float>(30), static_cast<double>(group.size()),
                    static_cast<std::uint32_t>(group.size())};
    for (const std::uint32_t member : group)
      for (float& value : mean.values) {
        const double update = member < 3 ? -1e4 : 1 + 0.1 * rng.normal();
        value += static_cast<float>(update / static_cast<double>(group.size()));
      }
    means.push_back(mean);
  }
  const auto robust = mean_of_groups(rule, means);
  ASSERT_TRUE(robust) << robust.error().what;
  for (const float value : robust->values) EXPECT_NEAR(value, 1, 0.2);
  EXPECT_EQ(robust->count, members);
  EXPECT_EQ(robust->total_weight, members);
  const auto plain = mean_of_groups({Mean{}, 8, 3}, means);
  EXPECT_LT(plain->values[0], -100);  // the test bites
  means.resize(8);
  EXPECT_FALSE(mean_of_groups(rule, means));
}

// What is masked has no way into a rule.
template <class T>
concept FitsIntoABlock = requires(OpenedBlock block, const T& update) {
  block.set(0, update, 0);
};
static_assert(FitsIntoABlock<QuantizedUpdate>);
static_assert(!FitsIntoABlock<MaskedUpdate> && !FitsIntoABlock<MaskedSum>);

}  // namespace
}  // namespace freshet
