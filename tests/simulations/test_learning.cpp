#include <gtest/gtest.h>

#include <cmath>

#include "base/rng.h"
#include "simulations/learning/fleet.h"
#include "simulations/learning/masked_round.h"
#include "simulations/learning/scratch_folder.h"
#include "simulations/learning/speakers.h"
#include "tests/simulations/toy_model.h"

namespace freshet {
namespace {

TEST(Speakers, AreThoseWhoSpeakByHowMuchTheySay) {
  const auto speakers = split_speakers(
      "ANN:\nOne.\n\nBOB:\nA longer line\nand another.\n\nstage direction\n\nANN:\nTwo.\n");
  ASSERT_EQ(speakers.size(), 2u);
  EXPECT_EQ(speakers[0].name, "BOB");
  EXPECT_EQ(speakers[0].utterances, std::vector<std::string>{"A longer line\nand another."});
  EXPECT_EQ(speakers[1].utterances, (std::vector<std::string>{"One.", "Two."}));
  EXPECT_TRUE(split_speakers("").empty());
  EXPECT_TRUE(split_speakers("no speaker here\n\n\n").empty());
}

FleetPlan toy_plan(Method method, std::uint32_t rounds) {
  FleetPlan plan;
  plan.campaign.name = "toy";
  plan.campaign.method = method;
  plan.campaign.rounds = rounds;
  plan.campaign.cohort_min = plan.campaign.cohort_max = plan.campaign.survivors_min = 3;
  return plan;
}

std::vector<FleetNode> toy_nodes() {
  std::vector<FleetNode> nodes(3);
  for (int i = 0; i < 3; ++i)
    nodes[static_cast<std::size_t>(i)] = {std::to_string(i),
                                          {{{10 * (i + 1)}, {}, {0}, 1}, {{1}, {}, {0}, 1}}};
  return nodes;
}

double mean_of_first_adapter(const ToyModel& model, const FleetPlan& plan) {
  const Layout whole =
      *adapter_layout(model.config(), {plan.campaign.lora.rank, plan.campaign.lora.alpha, {}});
  double sum = 0;
  for (float value : initial_adapter(whole, plan.campaign.lora.seed)) sum += value;
  return sum / static_cast<double>(whole.size);
}

TEST(Fleet, EndsAtTheMeanOfWhatItsNodesLearned) {
  ToyModel model;
  const Result<ScratchFolder> scratch = ScratchFolder::make();
  ASSERT_TRUE(scratch);
  const FleetPlan plan = toy_plan(Method::kFedit, 4);
  int rounds = 0;
  const Result<FleetResult> result =
      run_fleet(model, toy_nodes(), plan, scratch->path(), [&](std::uint64_t) { ++rounds; });
  ASSERT_TRUE(result) << result.error().what;
  EXPECT_EQ(rounds, 4);
  // Each round moves every value by the mean of 0.01, 0.02 and 0.03, to the resolution of the grid.
  const double moved = result->bpb_after * std::log(2.0) - mean_of_first_adapter(model, plan);
  EXPECT_NEAR(moved, 4 * 0.02, 1e-4);
}

TEST(Fleet, EndsThereHoweverItsUpdatesAreAdded) {
  for (const auto& [summing, within] :
       {std::pair{Summing::kMasked, 1e-4}, std::pair{Summing::kFloat, 1e-6}}) {
    ToyModel model;
    const Result<ScratchFolder> scratch = ScratchFolder::make();
    FleetPlan plan = toy_plan(Method::kFedit, 4);
    plan.summing = summing;
    const Result<FleetResult> result =
        run_fleet(model, toy_nodes(), plan, scratch->path(), [](std::uint64_t) {});
    ASSERT_TRUE(result) << result.error().what;
    const double moved = result->bpb_after * std::log(2.0) - mean_of_first_adapter(model, plan);
    EXPECT_NEAR(moved, 4 * 0.02, within);
    plan.robust.rule = Median{};  // which would need to see single updates
    const auto refused = run_fleet(model, toy_nodes(), plan, scratch->path(), [](std::uint64_t) {});
    EXPECT_EQ(refused.error().code, Code::kBadInput);
  }
}

TEST(MaskedRounds, OpenToTheSumOfTheirWords) {
  const Grid grid{1, 16, 1};
  for (const std::uint32_t nodes : {4u, 8u, 13u}) {
    Rng rng(nodes);
    std::vector<QuantizedUpdate> updates(nodes);
    QuantizedSum plain;
    for (QuantizedUpdate& update : updates) {
      for (int i = 0; i < 300; ++i) update.words.push_back(rng.next_u32() & 0xffff);
      update.words.push_back(1);
      ASSERT_TRUE(add(plain, update, grid));
    }
    const auto masked = masked_sum(std::move(updates), grid, Digest{});
    ASSERT_TRUE(masked) << masked.error().what;
    EXPECT_EQ(masked->words, plain.words);
    EXPECT_EQ(masked->count, nodes);
  }
  EXPECT_FALSE(masked_sum(std::vector<QuantizedUpdate>(1, {{1, 1}}), grid, Digest{}));
}

TEST(Fleet, TrainsHalfAsMuchWithOneFactorATime) {
  ToyModel model;
  const Result<ScratchFolder> scratch = ScratchFolder::make();
  ASSERT_TRUE(scratch);
  const FleetPlan plan = toy_plan(Method::kRolora, 4);
  const Result<FleetResult> result =
      run_fleet(model, toy_nodes(), plan, scratch->path(), [](std::uint64_t) {});
  ASSERT_TRUE(result) << result.error().what;
  const double moved = result->bpb_after * std::log(2.0) - mean_of_first_adapter(model, plan);
  EXPECT_NEAR(moved, 2 * 0.02, 1e-4);
}

TEST(Fleet, LeavesEveryNodeToItselfAtHome) {
  ToyModel model;
  const Result<ScratchFolder> scratch = ScratchFolder::make();
  ASSERT_TRUE(scratch);
  FleetPlan plan = toy_plan(Method::kFedit, 4);
  plan.home_alone = true;
  const Result<FleetResult> result =
      run_fleet(model, toy_nodes(), plan, scratch->path(), [](std::uint64_t) {});
  ASSERT_TRUE(result) << result.error().what;
  const double first = mean_of_first_adapter(model, plan);
  for (int i = 0; i < 3; ++i)
    EXPECT_NEAR(result->node_after[static_cast<std::size_t>(i)] * std::log(2.0) - first,
                4 * 0.01 * (i + 1), 1e-5);
}

// Five nodes that move every value by 0.01 to 0.05 a round; the first of them is poisoned.
struct PoisonedFleet {
  PoisonedFleet() : plan(toy_plan(Method::kFedit, 3)) {
    for (int i = 0; i < 5; ++i)
      nodes.push_back({std::to_string(i), {{{10 * (i + 1)}, {}, {0}, 1}, {{1}, {}, {0}, 1}}});
    plan.campaign.cohort_min = plan.campaign.cohort_max = plan.campaign.survivors_min = 5;
    plan.poison = {.attack = Attack::kSignFlip, .share = 0.2, .factor = 10};
  }
  FleetResult run() {
    const Result<ScratchFolder> scratch = ScratchFolder::make();
    const Result<FleetResult> result =
        run_fleet(model, nodes, plan, scratch->path(), [](std::uint64_t) {});
    EXPECT_TRUE(result) << result.error().what;
    return result ? *result : FleetResult{};
  }
  double moved(const FleetResult& result) {
    return result.bpb_after * std::log(2.0) - mean_of_first_adapter(model, plan);
  }
  ToyModel model;
  FleetPlan plan;
  std::vector<FleetNode> nodes;
};

TEST(PoisonedFleet, MovesTheMeanAndNotTheMedian) {
  PoisonedFleet fleet;
  EXPECT_NEAR(fleet.moved(fleet.run()), 3 * 0.008,
              1e-4);  // the mean of -0.1, 0.02, 0.03, 0.04, 0.05
  fleet.plan.robust.rule = Median{};
  EXPECT_NEAR(fleet.moved(fleet.run()), 3 * 0.03, 1e-4);
  fleet.plan.robust.rule = TrimmedMean{1};
  EXPECT_NEAR(fleet.moved(fleet.run()), 3 * 0.03, 1e-4);
}

TEST(PoisonedFleet, LosesThoseWhoDoNotClip) {
  PoisonedFleet fleet;
  const Layout whole = *adapter_layout(
      fleet.model.config(), {fleet.plan.campaign.lora.rank, fleet.plan.campaign.lora.alpha, {}});
  fleet.plan.campaign.clip = 0.06 * std::sqrt(static_cast<double>(whole.size));
  fleet.plan.campaign.grid.range = 1;
  fleet.plan.campaign.ready_ms = 0;
  fleet.plan.campaign.cohort_min = fleet.plan.campaign.survivors_min = 4;
  fleet.plan.poison.clips = false;
  const FleetResult result = fleet.run();
  EXPECT_EQ(result.refused, 3u);
  EXPECT_NEAR(fleet.moved(result), 3 * 0.035, 2e-4);  // the mean of 0.02 to 0.05
}

TEST(PoisonedFleet, PublishesNothingThatReadsPublicTextWorse) {
  PoisonedFleet fleet;  // the toy's loss is the mean value: every round makes it worse by 0.008
  fleet.plan.public_text.append(std::vector<TokenId>{1, 2, 3}, {}, 3);
  fleet.plan.robust.margin = 0.01;
  FleetResult result = fleet.run();
  EXPECT_EQ(result.held_back, 3u);
  EXPECT_NEAR(fleet.moved(result), 0, 1e-6);
  fleet.plan.robust.margin = 0.02;  // in bits; 0.008 nats are 0.0115
  result = fleet.run();
  EXPECT_EQ(result.held_back, 0u);
  EXPECT_NEAR(fleet.moved(result), 3 * 0.008, 1e-4);
}

TEST(PoisonedFleet, RefusesAHalfThatIsPoisonedAndARuleThatCannotStandIt) {
  PoisonedFleet fleet;
  const Result<ScratchFolder> scratch = ScratchFolder::make();
  fleet.plan.poison.share = 0.6;
  EXPECT_FALSE(
      run_fleet(fleet.model, fleet.nodes, fleet.plan, scratch->path(), [](std::uint64_t) {}));
  fleet.plan.poison.share = 0.2;
  fleet.plan.robust.rule = Krum{2};
  EXPECT_FALSE(
      run_fleet(fleet.model, fleet.nodes, fleet.plan, scratch->path(), [](std::uint64_t) {}));
}

}  // namespace
}  // namespace freshet
