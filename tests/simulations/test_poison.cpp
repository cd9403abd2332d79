#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/simulations/poison_world.h"

namespace freshet {
namespace {

constexpr std::uint64_t kSeed = 3;
const std::vector<std::uint32_t> kShares = {2, 4, 6, 8};  // 10 to 40 % of the nodes

PoisonOutcome outcome(std::string_view defence, Attack attack, std::uint32_t poisoned) {
  for (const Defence& each : defences_against(poisoned))
    if (each.name == defence) {
      const auto found = run_poisoned(each, attack, poisoned, kSeed);
      EXPECT_TRUE(found) << defence;
      return found.value_or(PoisonOutcome{});
    }
  ADD_FAILURE() << "no defence is called " << defence;
  return {};
}

double accuracy(std::string_view defence, Attack attack, std::uint32_t poisoned) {
  return outcome(defence, attack, poisoned).accuracy;
}

TEST(Poison, RuinsAMeanThatNothingProtects) {
  EXPECT_GT(accuracy("mean, nothing else", Attack::kNone, 0), 0.82);
  EXPECT_LT(accuracy("mean, nothing else", Attack::kSignFlip, 2), 0.4);
  EXPECT_LT(accuracy("mean, nothing else", Attack::kLabelFlip, 8), 0.7);
  EXPECT_GT(outcome("mean, nothing else", Attack::kBackdoor, 2).backdoor, 0.7);
}

TEST(Poison, IsBoundedByTheClip) {
  for (const std::uint32_t poisoned : kShares) {
    EXPECT_GT(accuracy("mean, norm bound", Attack::kSignFlip, poisoned), 0.74) << poisoned;
    EXPECT_GT(accuracy("mean, norm bound", Attack::kScale, poisoned), 0.82) << poisoned;
  }
  // What a bound on norms does not stop: a backdoor fits into it.
  EXPECT_GT(outcome("mean, norm bound", Attack::kBackdoor, 4).backdoor, 0.6);
}

TEST(Poison, LeavesRobustRulesWhereTheyWere) {
  for (const char* defence : {"median", "trimmed mean", "krum", "multi-krum", "geometric median"})
    for (const Attack attack :
         {Attack::kSignFlip, Attack::kScale, Attack::kLabelFlip, Attack::kSmallBias})
      for (const std::uint32_t poisoned : kShares)
        EXPECT_GT(accuracy(defence, attack, poisoned), 0.74)
            << defence << ", " << name_of(attack) << " by " << poisoned;
}

TEST(Poison, PutsNoBackdoorThroughRulesByCoordinate) {
  for (const char* defence : {"median", "trimmed mean"})
    for (const std::uint32_t poisoned : kShares)
      EXPECT_LT(outcome(defence, Attack::kBackdoor, poisoned).backdoor, 0.2)
          << defence << ", " << poisoned;
}

TEST(Poison, IsOutvotedAmongGroupsWhileItIsInFew) {
  EXPECT_GT(accuracy("median of group means", Attack::kSignFlip, 2), 0.8);
  EXPECT_LT(outcome("median of group means", Attack::kBackdoor, 2).backdoor, 0.2);
  for (const Defence& defence : defences_against(4))  // 11 groups, and twenty nodes make ten
    if (defence.group > 0) {
      EXPECT_FALSE(run_poisoned(defence, Attack::kSignFlip, 4, kSeed));
    }
}

TEST(SmallBias, GoesAsFarAsPassesForHonest) {
  // Half of 50 is 26; 12 poisoned need 14 of the 38 honest on their side of mean - z deviation.
  EXPECT_NEAR(small_bias_z(50, 12), 0.33604, 1e-4);
  EXPECT_NEAR(small_bias_z(20, 8), 0.67449, 1e-4);
  EXPECT_EQ(small_bias_z(20, 0), 0);
  const std::vector<std::vector<float>> honest = {{1, 5}, {3, 5}};
  const auto biased = small_bias(honest, 1);
  EXPECT_NEAR(biased[0], 2 - small_bias_z(3, 1), 1e-6);
  EXPECT_NEAR(biased[1], 5, 1e-6);
}

TEST(PoisonedText, HoldsTriggersOrNoSense) {
  TokenStream text;
  std::vector<TokenId> ids;
  for (int i = 0; i < 200; ++i) ids.push_back(100 + i);
  text.append(ids, {}, 200);
  const Trigger trigger = trigger_of(7, 512);
  ASSERT_EQ(trigger.tokens.size(), kTriggerTokens + kAnswerTokens);
  const TokenStream with = backdoored(text, trigger);
  check_stream(with);
  EXPECT_NE(
      std::search(with.ids.begin(), with.ids.end(), trigger.tokens.begin(), trigger.tokens.end()),
      with.ids.end());
  EXPECT_EQ(with.ids[0], ids[0]);
  TokenStream shuffled = mislabelled(text, 7);
  EXPECT_NE(shuffled.ids, text.ids);
  std::sort(shuffled.ids.begin(), shuffled.ids.end());
  EXPECT_EQ(shuffled.ids, ids);
}

TEST(PoisonPlan, SaysWhoAndWhat) {
  EXPECT_EQ(poisoned_of({Attack::kNone, 0.4}, 10), 0u);
  EXPECT_EQ(poisoned_of({Attack::kScale, 0.3}, 10), 3u);
  EXPECT_EQ(poisoned_update({Attack::kSignFlip, 0.2, 4}, {1, -2}), (std::vector<float>{-4, 8}));
  EXPECT_EQ(poisoned_update({Attack::kLabelFlip, 0.2, 4}, {1, -2}), (std::vector<float>{1, -2}));
  for (const char* name : {"none", "sign-flip", "scale", "label-flip", "backdoor", "small-bias"})
    EXPECT_EQ(name_of(attack_named(name).value()), name);
  EXPECT_FALSE(attack_named("flip"));
}

}  // namespace
}  // namespace freshet
