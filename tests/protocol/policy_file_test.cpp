#include "protocol/policy_file.h"

#include <gtest/gtest.h>

namespace freshet {
namespace {

TEST(PolicyFile, AnEmptyFileIsTheSafeDefaults) {
  const auto policy = parse_policy_file("", "policy.toml");
  ASSERT_TRUE(policy) << policy.error().what;
  EXPECT_EQ(*policy, NodePolicy{});
  EXPECT_EQ(policy->modes, std::vector{Mode::kMasked}) << "no coordinator opens updates by default";
  EXPECT_EQ(policy->honest_min, 4u);
  EXPECT_EQ(policy->corrupt, (Fraction{1, 3}));
  EXPECT_EQ(policy->weight_max, 1u);
}

TEST(PolicyFile, EveryKeyIsReadAndWritten) {
  NodePolicy all;
  all.modes = {Mode::kTrustedCoordinator, Mode::kMasked};
  all.methods = {Method::kFfa};
  all.models = {Digest{7}};
  all.layouts = {Digest{8}, Digest{9}};
  all.questions = {Digest{10}};
  all.weight_max = 5;
  all.evaluation = false;
  all.honest_min = 6;
  all.corrupt = {1, 4};
  all.newcomers = {1, 5};
  all.newcomer_days = 30;
  all.epsilon_max = 2.5;
  all.delta = 1e-6;
  all.examples = ExamplePolicy::kRequire;
  all.examples_epsilon_max = 3.5;
  for (const NodePolicy& policy : {all, NodePolicy{}}) {
    const auto read = parse_policy_file(to_toml(policy), "policy.toml");
    ASSERT_TRUE(read) << read.error().what;
    EXPECT_EQ(*read, policy);
  }
}

TEST(PolicyFile, RefusesByNameAndLine) {
  struct Row {
    std::string_view toml, says;
  };
  const Row kRows[] = {
      {"[cohort]\nhonest_mim = 4\n",
       "p.toml:2: unknown key \"honest_mim\" in [cohort]: did you mean \"honest_min\"?"},
      {"[cohorts]\n", "p.toml:1: unknown section [cohorts]: did you mean \"cohort\"?"},
      {"honest_min = 4\n", "unknown section [honest_min]"},
      {"[cohort]\nhonest_min = \"4\"\n",
       "p.toml:2: [cohort] honest_min is a text: it must be a whole number"},
      {"[cohort]\nhonest_min = 1\n", "honest_min is 1: it must be in [2, "},
      {"[cohort]\nhonest_min = -1\n", "honest_min is -1"},
      {"[cohort]\ncorrupt = \"third\"\n", "\"third\" is no fraction"},
      {"[cohort]\ncorrupt = \"1/2\"\n", "no quorum stands up to a half"},
      {"[cohort]\ncorrupt = \"1/0\"\n", "corrupt is 1/0"},
      {"[cohort]\nnewcomers = \"3/2\"\n", "newcomers is 3/2"},
      {"[campaigns]\nmodes = []\n", "modes is empty"},
      {"[campaigns]\nmodes = [\"open\"]\n", "p.toml: [campaigns]: modes: unknown mode \"open\""},
      {"[campaigns]\nmethods = [\"x\"]\n", "methods: "},
      {"[campaigns]\nmodels = [\"ab\"]\n", "models: "},
      {"[campaigns]\nweight_max = 0\n", "weight_max is 0"},
      {"[privacy]\nepsilon_max = 0\n", "epsilon_max is 0"},
      {"[privacy]\nepsilon_max = nan\n", "epsilon_max is nan"},
      {"[privacy]\nepsilon_max = inf\n", "epsilon_max is inf"},
      {"[privacy]\ndelta = 0.5\n", "delta is 0.5"},
      {"[privacy]\nexamples = \"maybe\"\n", "use \"allow\", \"require\" or \"refuse\""},
      {"[privacy]\nexamples_epsilon_max = 2\n", "examples_epsilon_max needs examples = "},
      {"[privacy]\nexamples = \"require\"\nexamples_epsilon_max = 0\n",
       "examples_epsilon_max is 0"},
      {"[privacy\n", "p.toml:1: "},
  };
  for (const Row& row : kRows) {
    const auto policy = parse_policy_file(row.toml, "p.toml");
    ASSERT_FALSE(policy) << row.toml;
    EXPECT_EQ(policy.error().code, Code::kBadInput);
    EXPECT_NE(policy.error().what.find(row.says), std::string::npos) << policy.error().what;
  }
  EXPECT_FALSE(parse_policy_file(std::string(1 << 20, '#'), "p.toml"));
}

}  // namespace
}  // namespace freshet
