// Campaigns with the real noise over a toy model.
#include "simulations/learning/private_fleet.h"

#include <gtest/gtest.h>

#include <cmath>

#include "aggregation/privacy/calibration.h"
#include "simulations/learning/speakers.h"
#include "tests/simulations/toy_model.h"

namespace freshet {
namespace {

constexpr std::uint32_t kNodes = 40;

FleetPlan plan_of(double epsilon) {
  FleetPlan plan;
  CampaignPlan& campaign = plan.campaign;
  campaign.name = "toy";
  campaign.mode = Mode::kMasked;
  campaign.method = Method::kFfa;
  campaign.rounds = 5;
  campaign.cohort_min = campaign.cohort_max = campaign.survivors_min = kNodes;
  campaign.lora.rank = 2;
  campaign.clip = 10;
  campaign.privacy = {.on = epsilon > 0, .epsilon = epsilon, .honest_min = 20};
  if (epsilon == 0) campaign.privacy.epsilon = 1;
  campaign.masking.honest_min = 20;
  return plan;
}

std::vector<FleetNode> nodes() {
  std::vector<FleetNode> found;
  for (std::uint32_t i = 0; i < kNodes; ++i)
    found.push_back({std::to_string(i), {{{20}, {}, {0}, 1}, {{1}, {}, {0}, 1}}});
  return found;
}

Result<PrivateFleetResult> run(const FleetPlan& plan) {
  ToyModel model;
  return run_private_fleet(model, nodes(), plan, [](std::uint64_t) {});
}

double moved_by(const PrivateFleetResult& result, const FleetPlan& plan) {
  const ToyModel model;
  const Layout whole =
      *adapter_layout(model.config(), {plan.campaign.lora.rank, plan.campaign.lora.alpha, {}});
  double first = 0, trained = 0;
  for (const float value : initial_adapter(whole, plan.campaign.lora.seed)) first += value;
  for (const LayoutEntry& entry : whole.entries)
    if (entry.factor == Factor::kB) trained += static_cast<double>(entry.size());
  const double mean =
      result.learned.bpb_after * std::log(2.0) - first / static_cast<double>(whole.size);
  return mean * static_cast<double>(whole.size) / trained;
}

TEST(PrivateFleet, WithoutNoiseEndsAtTheMean) {
  const FleetPlan plan = plan_of(0);
  const auto result = run(plan);
  ASSERT_TRUE(result) << result.error().what;
  EXPECT_EQ(result->rounds, 5u);
  EXPECT_EQ(result->multiplier, 0);
  EXPECT_EQ(result->epsilon, 0);
  EXPECT_NEAR(moved_by(*result, plan), 5 * .02, 1e-3);
}

TEST(PrivateFleet, SpendsItsBudgetAndEndsNearTheMean) {
  const FleetPlan plan = plan_of(8);
  const auto result = run(plan);
  ASSERT_TRUE(result) << result.error().what;
  EXPECT_EQ(result->rounds, 5u);
  EXPECT_NEAR(result->epsilon, 8, 1e-3);
  EXPECT_DOUBLE_EQ(result->epsilon, result->epsilon_unamplified);
  EXPECT_LT(result->pld_epsilon, result->epsilon);
  EXPECT_EQ(result->cohort, kNodes);
  EXPECT_EQ(result->share_clipped, 0);
  // The noise of a mean: multiplier * clip * sqrt(40 / 20) / 40 in an entry, averaged over entries.
  const double sigma = result->multiplier * 10 * std::sqrt(2.0) / kNodes;
  const double off = moved_by(*result, plan) - 5 * .02;
  EXPECT_NE(off, 0);
  EXPECT_LT(std::fabs(off), 5 * sigma * std::sqrt(5.0 / 144));
}

TEST(PrivateFleet, EndsWhereItsBudgetDoes) {
  FleetPlan plan = plan_of(8);
  plan.campaign.privacy.noise_multiplier = noise_plan_of(plan.campaign.privacy, 3).multiplier;
  const auto result = run(plan);
  ASSERT_TRUE(result) << result.error().what;
  EXPECT_EQ(result->rounds, 3u);
  EXPECT_LE(result->epsilon, 8);
}

TEST(PrivateFleet, DrawsItsCohortsAndClaimsTheirRateApart) {
  FleetPlan plan = plan_of(8);
  plan.campaign.privacy.sampling_rate = .75;
  plan.campaign.privacy.honest_min = plan.campaign.masking.honest_min = 10;
  const auto result = run(plan);
  ASSERT_TRUE(result) << result.error().what;
  EXPECT_LT(result->cohort, kNodes);
  EXPECT_GT(result->epsilon_unamplified, result->epsilon);
  plan.campaign.privacy.sampling_rate = .3;  // 12 of 40, where the noise counts on 26
  plan.campaign.privacy.honest_min = plan.campaign.masking.honest_min = 26;
  EXPECT_EQ(run(plan).error().code, Code::kUnavailable);
}

TEST(PrivateFleet, IsTheSameAgain) {
  const FleetPlan plan = plan_of(2);
  EXPECT_DOUBLE_EQ(run(plan)->learned.bpb_after, run(plan)->learned.bpb_after);
}

TEST(PrivateFleet, MovesItsClipToTheNorms) {
  FleetPlan plan = plan_of(8);
  plan.campaign.privacy.adaptive_clip = true;
  plan.campaign.rounds = 3;
  plan.campaign.clip = 50;  // every update is below it
  const auto lowered = run(plan);
  ASSERT_TRUE(lowered) << lowered.error().what;
  EXPECT_LT(lowered->clip_last, 50);
  plan.campaign.clip = 1e-4;
  plan.campaign.privacy.epsilon = 200;
  const auto raised = run(plan);
  ASSERT_TRUE(raised) << raised.error().what;
  EXPECT_GT(raised->clip_last, 1e-4);
  EXPECT_EQ(raised->share_clipped, 1);
}

TEST(PrivateFleet, TurnsTheFactorsWithFedsvd) {
  FleetPlan plan = plan_of(0);
  plan.campaign.method = Method::kFedsvd;
  EXPECT_TRUE(run(plan));
  plan.campaign.rule = Momentum{};
  EXPECT_EQ(run(plan).error().code, Code::kBadInput);
}

TEST(Parts, AreOfAboutOneSizeAndLoseNothing) {
  std::string text;
  for (int i = 0; i < 100; ++i) text += "line " + std::to_string(i) + "\n";
  const std::vector<Speaker> parts = split_parts(text, 7);
  ASSERT_EQ(parts.size(), 7u);
  std::string joined;
  for (const Speaker& part : parts) {
    EXPECT_NEAR(static_cast<double>(part.bytes()), static_cast<double>(text.size()) / 7, 16);
    EXPECT_TRUE(part.utterances[0].ends_with('\n'));
    joined += part.utterances[0];
  }
  EXPECT_EQ(joined, text);
  EXPECT_EQ(split_parts("one line", 3).size(), 3u);
}

}  // namespace
}  // namespace freshet
