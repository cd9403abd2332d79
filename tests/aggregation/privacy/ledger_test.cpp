#include "aggregation/privacy/ledger.h"

#include <gtest/gtest.h>

#include <cmath>

#include "aggregation/privacy/calibration.h"

namespace freshet {
namespace {

Charge charge_of_round(std::uint64_t round, double rate = .1) {
  Charge charge;
  charge.sid[0] = static_cast<std::uint8_t>(round);
  charge.sid[1] = static_cast<std::uint8_t>(round >> 8);
  charge.campaign = {7};
  charge.round = {round};
  charge.multiplier = 2;
  charge.sampling_rate = rate;
  charge.sensitivity = 1234.5;
  charge.variance_256 = 99;
  charge.honest_min = 30;
  charge.survivors = 45;
  charge.entries = 1'000'000;
  return charge;
}

Ledger with_budget(Ledger::Owner owner, double epsilon) {
  Ledger ledger(owner);
  EXPECT_TRUE(ledger.take(ledger.record_of({epsilon, 1e-5})));
  return ledger;
}

int rounds_within(Ledger& ledger) {
  for (int round = 1;; ++round) {
    const auto record = ledger.admit(charge_of_round(static_cast<std::uint64_t>(round)));
    if (!record) {
      EXPECT_EQ(record.error().code, Code::kRefused) << record.error().what;
      return round - 1;
    }
    EXPECT_TRUE(ledger.take(*record));
  }
}

TEST(Ledger, GivesBackWhatItTook) {
  Ledger ledger = with_budget(Ledger::Owner::kCampaign, 8);
  const Charge charge = charge_of_round(1);
  ASSERT_TRUE(ledger.take(*ledger.admit(charge)));
  ASSERT_EQ(ledger.charges().size(), 1u);
  EXPECT_EQ(ledger.charges()[0], charge);
  EXPECT_EQ(ledger.budget(), (Budget{8, 1e-5}));
}

TEST(Ledger, StopsBeforeItsEpsilonIsPassed) {
  Ledger ledger = with_budget(Ledger::Owner::kCampaign, 2);
  const int rounds = rounds_within(ledger);
  EXPECT_GT(rounds, 5);
  EXPECT_LE(ledger.spent().epsilon, 2);
  const Release one_more[] = {{2, .1, static_cast<std::uint64_t>(rounds) + 1}};
  EXPECT_GT(renyi_epsilon(one_more, 1e-5), 2);
}

TEST(Ledger, OfANodeClaimsNoAmplification) {
  Ledger campaign = with_budget(Ledger::Owner::kCampaign, 3),
         node = with_budget(Ledger::Owner::kNode, 3);
  EXPECT_LT(rounds_within(node), rounds_within(campaign));
  const Release spent[] = {{2, 1, node.charges().size()}};
  EXPECT_DOUBLE_EQ(node.spent().epsilon_unamplified, renyi_epsilon(spent, 1e-5));
  EXPECT_LE(node.spent().epsilon_unamplified, 3);
}

TEST(Ledger, ReportsBothFigures) {
  Ledger ledger = with_budget(Ledger::Owner::kCampaign, 8);
  EXPECT_EQ(ledger.spent().epsilon, 0);
  ASSERT_TRUE(ledger.take(*ledger.admit(charge_of_round(1))));
  const double first = ledger.spent().epsilon;
  EXPECT_GT(first, 0);
  EXPECT_GT(ledger.spent().epsilon_unamplified, first);
  ASSERT_TRUE(ledger.take(*ledger.admit(charge_of_round(2))));
  EXPECT_GT(ledger.spent().epsilon, first);  // it never falls
}

TEST(Ledger, ChargesARoundOnce) {
  Ledger ledger = with_budget(Ledger::Owner::kCampaign, 8);
  ASSERT_TRUE(ledger.take(*ledger.admit(charge_of_round(1))));
  EXPECT_TRUE(ledger.admit(charge_of_round(1))->empty());
  Charge other = charge_of_round(1);
  other.multiplier = 3;
  EXPECT_EQ(ledger.admit(other).error().code, Code::kBadInput);
}

TEST(Ledger, WritesABudgetOnlyWhenItChanges) {
  Ledger ledger = with_budget(Ledger::Owner::kNode, 8);
  EXPECT_TRUE(ledger.record_of({8, 1e-5}).empty());
  EXPECT_TRUE(ledger.take(ledger.record_of({4, 1e-5})));
  EXPECT_EQ(ledger.budget().epsilon, 4);
}

TEST(Ledger, RefusesRecordsOfAnotherForm) {
  Ledger ledger = with_budget(Ledger::Owner::kNode, 8);
  Bytes record = *ledger.admit(charge_of_round(1));
  EXPECT_EQ(Ledger(Ledger::Owner::kNode).take({}).error().code, Code::kCorrupt);
  Bytes longer = record;
  longer.push_back(0);
  EXPECT_FALSE(ledger.take(longer));
  longer.resize(record.size() - 1);
  EXPECT_FALSE(ledger.take(longer));
  Bytes other = record;
  other[0] = 9;
  EXPECT_FALSE(ledger.take(other));
  for (std::size_t i = 1 + 32 + 16; i < 1 + 32 + 16 + 8; ++i)
    record[i] = 0xff;  // a multiplier of NaN
  EXPECT_FALSE(ledger.take(record));
  EXPECT_TRUE(ledger.charges().empty());
}

TEST(Calibration, SpendsTheWholeBudgetInItsRounds) {
  for (const double rate : {.1, 1.0}) {
    const Budget budget{4, 1e-5};
    Ledger ledger(Ledger::Owner::kCampaign);
    ASSERT_TRUE(ledger.take(ledger.record_of(budget)));
    const PrivacyPlan plan{.on = true, .epsilon = 4, .sampling_rate = rate, .honest_min = 30};
    const NoisePlan noise = noise_plan_of(plan, 12);
    EXPECT_EQ(noise.honest_min, 30u);
    Charge charge = charge_of_round(0, rate);
    charge.multiplier = noise.multiplier;
    int rounds = 0;
    for (;; ++rounds) {
      charge.sid[0] = static_cast<std::uint8_t>(rounds);
      const auto record = ledger.admit(charge);
      if (!record) break;
      ASSERT_TRUE(ledger.take(*record));
    }
    EXPECT_EQ(rounds, 12);
    EXPECT_NEAR(ledger.spent().epsilon, 4, 1e-4);
  }
}

TEST(Calibration, TakesTheMultiplierThatThePlanGives) {
  const PrivacyPlan plan{.on = true, .noise_multiplier = 3, .adaptive_clip = true};
  EXPECT_EQ(noise_plan_of(plan, 5), (NoisePlan{3, 1, 1e-5, 4, true}));
}

TEST(Ledger, ChargesWhatARoundsNoiseIs) {
  const NoisePlan plan{1.5, .2, 1e-5, 30, true};
  const Grid grid{.range = .25f, .bits = 12, .weight_max = 1};
  const Noise noise = *noise_of(plan, 1, grid, 1000);
  const Charge charge = charge_of(plan, noise, 1000);
  EXPECT_EQ(charge.multiplier, 1.5);
  EXPECT_EQ(charge.honest_min, 30u);
  EXPECT_LT(charge.slack, 1e-12);
  // What the words really carry: the update's noise and the count's together are the plan's.
  const double of_update = noise.honest_sigma / noise.sensitivity;
  const double of_count = std::sqrt(noise.count_variance_256 / 256.0 * 30) / 2048;
  EXPECT_NEAR(1 / std::sqrt(1 / (of_update * of_update) + 1 / (of_count * of_count)), 1.5, 1e-4);
}

}  // namespace
}  // namespace freshet
