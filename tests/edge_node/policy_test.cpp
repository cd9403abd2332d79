#include "edge_node/policy.h"

#include <gtest/gtest.h>

#include <functional>

#include "aggregation/privacy/calibration.h"

namespace freshet {
namespace {

constexpr std::size_t kEntries = 1'000;

struct Round {  // what an honest coordinator asks for, and what the node holds
  NodePolicy policy;
  CampaignPlan plan;
  Descriptor descriptor;
  Loaded loaded{CampaignId{5}, plan, Digest{1}, Digest{2}, VersionId{3}, Digest{4}, kEntries};

  Round() {
    plan.mode = Mode::kMasked;
    plan.cohort_min = 8;
    plan.cohort_max = 16;
    plan.model = loaded.model;
    refresh();
  }
  Round(const Round&) = delete;
  void refresh() {
    descriptor.campaign = loaded.campaign;
    descriptor.plan = plan_digest(plan);
    descriptor.round = {9};
    descriptor.base = loaded.version;
    descriptor.supplied = supplied_digest(loaded.model, loaded.adapter, loaded.version);
    descriptor.layout = loaded.layout;
    descriptor.clip = plan.clip;
    descriptor.grid = plan.grid;
    descriptor.word_bits = 20;
    descriptor.cohort_max = plan.cohort_max;
    descriptor.survivors_min = plan.survivors_min;
    descriptor.honest_min = plan.masking.honest_min;
    descriptor.corrupt = plan.masking.corrupt;
    descriptor.newcomers = plan.masking.newcomers;
    descriptor.dropped = plan.masking.dropped;
    descriptor.phase_ms = plan.masking.phase_ms;
    if (plan.privacy.on) descriptor.noise = noise_plan_of(plan.privacy, plan.rounds);
  }
  std::optional<Refusal> refusal() const { return refusal_of(policy, descriptor, loaded); }
};

// A round whose noise is not what its plan says.
void less_noise(Round& round, const std::function<void(NoisePlan&)>& change) {
  round.plan.privacy.on = true;
  round.refresh();
  change(round.descriptor.noise);
}

TEST(Policy, TakesPartInARoundThatGivesWhatItWants) {
  Round round;
  const auto refusal = round.refusal();
  EXPECT_FALSE(refusal) << refusal->why;
  EXPECT_EQ(rules_of(round.policy, round.descriptor), exchange::Rules{});
}

TEST(Policy, RefusesByTheNodesOwnWord) {
  struct Row {
    std::string_view says;
    std::function<void(Round&)> change;
  };
  const Row kRows[] = {
      {"3 honest survivors, this node's policy wants 4",
       [](Round& r) { r.plan.masking.honest_min = 3, r.refresh(); }},
      {"1/4 of corrupt members, this node's policy wants 1/3",
       [](Round& r) {
         r.plan.masking.corrupt = {1, 4}, r.refresh();
       }},
      {"wants 9", [](Round& r) { r.policy.honest_min = 9; }},
      {"has no noise", [](Round& r) { r.policy.epsilon_max = 8; }},
      {"may spend epsilon 8",
       [](Round& r) { r.policy.epsilon_max = 4, r.plan.privacy.on = true, r.refresh(); }},
      {"does not allow method", [](Round& r) { r.policy.methods = {Method::kFfa}; }},
      {"does not list model", [](Round& r) { r.policy.models = {Digest{9}}; }},
      {"does not list layout", [](Round& r) { r.policy.layouts = {Digest{9}}; }},
      {"evaluation totals",
       [](Round& r) { r.policy.evaluation = false, r.plan.evaluation = true; }},
      {"no noise for single examples",
       [](Round& r) { r.policy.examples = ExamplePolicy::kRequire; }},
      {"noise for single examples, which this node's policy refuses",
       [](Round& r) {
         r.policy.examples = ExamplePolicy::kRefuse;
         r.plan.examples.noise_multiplier = 1, r.refresh();
       }},
      {"does not allow mode", [](Round& r) { r.policy.modes = {Mode::kTrustedCoordinator}; }},
      {"words of 19 bits, where the sum of 16 nodes takes 20",
       [](Round& r) { r.descriptor.word_bits = 19; }},
      {"words of 33 bits", [](Round& r) { r.descriptor.word_bits = 33; }},
      {"this node needs a newer", [](Round& r) { ++r.descriptor.version; }},
      {"the coordinator needs a newer", [](Round& r) { --r.descriptor.version; }},
  };
  for (const Row& row : kRows) {
    Round round;
    row.change(round);
    const auto refusal = round.refusal();
    ASSERT_TRUE(refusal) << row.says;
    EXPECT_NE(refusal->why.find(row.says), std::string::npos) << refusal->why;
    EXPECT_EQ(refusal->declined, Declined::kPolicy) << refusal->why;
  }
}

TEST(Policy, AnswersAQuestionThatItsPeopleHaveApprovedAndNoOther) {
  Round round;
  round.plan.logits = {true, Digest{7}, 64, 4};
  fit_to_answers(round.plan);
  round.policy.models = {Digest{9}};  // of campaigns that train one
  round.refresh();
  auto refusal = round.refusal();
  ASSERT_TRUE(refusal);
  EXPECT_NE(refusal->why.find("it asks question 0700"), std::string::npos) << refusal->why;
  EXPECT_EQ(refusal->declined, Declined::kPolicy);
  round.policy.questions = {Digest{6}};
  EXPECT_TRUE(round.refusal());
  round.policy.questions = {Digest{6}, Digest{7}};
  refusal = round.refusal();
  EXPECT_FALSE(refusal) << refusal->why;
}

TEST(Policy, RefusesARoundOfAnythingButWhatItLoaded) {
  struct Row {
    std::string_view says;
    std::function<void(Round&)> change;
  };
  const Row kRows[] = {
      {"another model or adapter", [](Round& r) { r.loaded.model = Digest{77}; }},
      {"another model or adapter", [](Round& r) { r.loaded.adapter = Digest{77}; }},
      {"another model or adapter", [](Round& r) { r.descriptor.supplied = Digest{77}; }},
      {"starts from version 4", [](Round& r) { r.descriptor.base = {4}; }},
      {"another layout", [](Round& r) { r.descriptor.layout = Digest{77}; }},
      {"not of the plan", [](Round& r) { r.descriptor.plan = Digest{77}; }},
      {"not of the plan", [](Round& r) { r.descriptor.campaign = {6}; }},
      {"another grid", [](Round& r) { r.descriptor.grid.weight_max = 2; }},
      {"clips at 5", [](Round& r) { r.descriptor.clip = 5; }},
      {"takes 17 nodes", [](Round& r) { r.descriptor.cohort_max = 17; }},
      {"other words beside the update", [](Round& r) { r.descriptor.extras = 6; }},
      {"other words beside the update",
       [](Round& r) {
         r.plan.evaluation = true;
         r.descriptor.plan = plan_digest(r.plan);
       }},
      {"otherwise than its plan", [](Round& r) { r.descriptor.honest_min = 5; }},
      {"otherwise than its plan",
       [](Round& r) {
         r.descriptor.corrupt = {2, 5};
       }},
      {"otherwise than its plan",
       [](Round& r) {
         r.descriptor.newcomers = {1, 5};
       }},
      {"otherwise than its plan",
       [](Round& r) {
         r.descriptor.dropped = {0, 1};
       }},
      {"otherwise than its plan", [](Round& r) { r.descriptor.phase_ms += 1; }},
      {"its plan gives another",
       [](Round& r) { less_noise(r, [](auto& n) { n.multiplier /= 2; }); }},
      {"its plan gives another",
       [](Round& r) { less_noise(r, [](auto& n) { n.sampling_rate = 0.01; }); }},
      {"its plan gives another", [](Round& r) { less_noise(r, [](auto& n) { n.delta = 0.1; }); }},
      {"its plan gives another",
       [](Round& r) { less_noise(r, [](auto& n) { n.honest_min = 99; }); }},
      {"its plan gives another",
       [](Round& r) { less_noise(r, [](auto& n) { n.counts_clipped = true; }); }},
      {"its plan has none", [](Round& r) { r.descriptor.noise.multiplier = 1; }},
      {"not a masked one", [](Round& r) { r.plan.mode = Mode::kTrustedCoordinator; }},
  };
  for (const Row& row : kRows) {
    Round round;
    row.change(round);
    const auto refusal = round.refusal();
    ASSERT_TRUE(refusal) << row.says;
    EXPECT_NE(refusal->why.find(row.says), std::string::npos) << refusal->why;
    EXPECT_EQ(refusal->declined, Declined::kModel) << refusal->why;
  }
}

// The multiplier is found by search: the last digits of another machine's may be others.
TEST(Policy, TakesTheNoiseOfItsPlanFromAnotherMachine) {
  Round round;
  round.plan.privacy.on = true;
  round.plan.privacy.sampling_rate = 0.5;
  round.refresh();
  round.descriptor.word_bits = 32;
  const double multiplier = round.descriptor.noise.multiplier;
  for (const double factor : {1 - 1e-6, 1.0, 1 + 1e-6}) {
    round.descriptor.noise.multiplier = multiplier * factor;
    const auto refusal = round.refusal();
    EXPECT_FALSE(refusal) << refusal->why;
  }
  round.descriptor.noise.multiplier = multiplier * (1 - 1e-4);
  EXPECT_TRUE(round.refusal());
  round.plan.privacy.noise_multiplier = 3;  // what a plan states is exact
  round.refresh();
  round.descriptor.word_bits = 32;
  EXPECT_FALSE(round.refusal());
  round.descriptor.noise.multiplier = 3 * (1 - 1e-9);
  EXPECT_TRUE(round.refusal());
}

TEST(Policy, ATrustedCoordinatorIsTrustedByTheNodesPeopleAlone) {
  CampaignPlan plan;
  plan.mode = Mode::kTrustedCoordinator;
  const auto refusal = refusal_of(NodePolicy{}, plan);
  ASSERT_TRUE(refusal);
  EXPECT_NE(refusal->why.find("--trust-coordinator"), std::string::npos);
  NodePolicy trusting;
  trusting.modes.push_back(Mode::kTrustedCoordinator);
  EXPECT_FALSE(refusal_of(trusting, plan));
}

TEST(Policy, TheStricterRulesCount) {
  Round round;
  round.plan.masking.honest_min = 6;
  round.plan.masking.corrupt = {2, 5};
  round.refresh();
  ASSERT_FALSE(round.refusal());
  EXPECT_EQ(rules_of(round.policy, round.descriptor), (exchange::Rules{6, {2, 5}}));
}

}  // namespace
}  // namespace freshet
