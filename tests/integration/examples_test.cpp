// A campaign that asks its nodes for privacy of single examples: their own ledgers are charged, and
// their policies decide.

#include <gtest/gtest.h>

#include "membership/ledger_file.h"
#include "tests/integration/campaigns.h"
#include "tests/temp_folder.h"

namespace freshet {
namespace {

FleetPlan with_noise(double multiplier) {
  return {.nodes = 8, .rounds = 2, .masked = true, .survivors_min = 6, .example_noise = multiplier};
}

Ledger examples_of(const World& world, int node) {
  return LedgerFile::open(world.node(node) / "examples.ledger", Ledger::Owner::kExamples, {})
      .value()
      .ledger();
}

// Starts node 0 with another policy, and stops it once it said `says`.
void expect_says(const World& world, const NodePolicy& policy, std::string_view says) {
  Child coordinator = world.start_coordinator();
  Child node = world.start_node_of(policy, 0, coordinator.line());
  std::string problem;
  for (int i = 0; problem.find(says) == std::string::npos; ++i) {
    ASSERT_LT(i, 1200) << problem;
    ASSERT_EQ(node.wait(50), std::nullopt);
    const Json now = read_json(world.node(0) / "status.json");
    if (now.is_object()) problem = now.value("problem", "");
  }
  node.stop();
  EXPECT_EQ(node.wait(kLongMs), 0);
}

TEST(Examples, AreChargedInTheLedgerOfEveryNodeBeforeItTrains) {
  TempFolder folder;
  const World world = World::make(folder.path(), with_noise(1.5));
  EXPECT_NE(run_undisturbed(world), "");
  for (int i = 0; i < world.plan().nodes; ++i) {
    const Ledger ledger = examples_of(world, i);
    ASSERT_EQ(ledger.charges().size(), 2u) << i;
    EXPECT_EQ(ledger.charges()[0].multiplier, 1.5);
    EXPECT_LT(ledger.charges()[0].sampling_rate, 1);
    EXPECT_GT(ledger.charges()[0].times, 1u);
    const Json status = read_json(world.node(i) / "status.json");
    EXPECT_DOUBLE_EQ(status["example_epsilon_spent"], ledger.spent().epsilon) << status.dump();
  }
}

TEST(Examples, OfANodeThatRequiresTheirNoiseAreGivenToNoCampaignWithoutIt) {
  TempFolder folder;
  const World world = World::make(folder.path(), with_noise(0));
  NodePolicy policy;
  policy.examples = ExamplePolicy::kRequire;
  expect_says(world, policy, "no noise for single examples");
  EXPECT_FALSE(std::filesystem::exists(world.node(0) / "examples.ledger"));
}

TEST(Examples, OfANodeWhoseBudgetIsSpentAreTrainedOnNoMore) {
  TempFolder folder;
  const World world = World::make(folder.path(), with_noise(1.5));
  NodePolicy policy;
  policy.examples = ExamplePolicy::kRequire;
  policy.examples_epsilon_max = 0.01;
  expect_says(world, policy, "no training from version 0");
  EXPECT_TRUE(examples_of(world, 0).charges().empty());
  EXPECT_FALSE(std::filesystem::exists(world.node(0) / "contribution" / "update"));
}

}  // namespace
}  // namespace freshet
