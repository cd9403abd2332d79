// The closed forms of Reddi et al. 2021, algorithm 2, over two steps, worked out beside the code:
// no bias correction.

#include "aggregation/server_rule.h"

#include <gtest/gtest.h>

#include <cmath>

namespace freshet {
namespace {

MeanUpdate mean_of(std::vector<float> values) { return {std::move(values), 1, 1}; }

// Both steps of a rule on one entry.
struct TwoSteps {
  float delta1, delta2;
  Moments moments;
};
TwoSteps two_steps(const ServerRule& rule, float mean1, float mean2) {
  ServerStep one = server_step(rule, {}, mean_of({mean1}));
  ServerStep two = server_step(rule, std::move(one.moments), mean_of({mean2}));
  return {one.delta[0], two.delta[0], std::move(two.moments)};
}

TEST(ServerRule, SgdWithRateOneIsFedAvg) {
  const ServerStep step = server_step(Sgd{}, {}, mean_of({0.25f, -3}));
  EXPECT_EQ(step.delta, (std::vector<float>{0.25f, -3}));
  EXPECT_EQ(step.moments, Moments{});
  EXPECT_EQ(server_step(Sgd{.lr = 0.5f}, {}, mean_of({0.25f})).delta[0], 0.125f);
}

TEST(ServerRule, MomentumAddsTheMeanWhole) {
  const auto [delta1, delta2, moments] = two_steps(Momentum{.lr = 0.5f, .beta = 0.9f}, 2, 1);
  EXPECT_FLOAT_EQ(delta1, 0.5f * 2);
  EXPECT_FLOAT_EQ(delta2, 0.5f * (0.9f * 2 + 1));  // not (1 - beta) * mean
  EXPECT_EQ(moments.second, std::vector<float>{});
}

TEST(ServerRule, AdamHasNoBiasCorrection) {
  const auto [delta1, delta2, moments] =
      two_steps(Adam{.lr = 0.1f, .beta1 = 0.9f, .beta2 = 0.99f, .tau = 1e-3f}, 0.2f, -0.1f);
  const double v1 = 0.01 * 0.04, v2 = 0.99 * v1 + 0.01 * 0.01;
  const double m1 = 0.1 * 0.2, m2 = 0.9 * m1 - 0.1 * 0.1;
  EXPECT_NEAR(delta1, 0.1 * m1 / (std::sqrt(v1) + 1e-3), 1e-7);
  EXPECT_NEAR(delta2, 0.1 * m2 / (std::sqrt(v2) + 1e-3), 1e-7);
  EXPECT_NEAR(moments.first[0], m2, 1e-8);
  EXPECT_NEAR(moments.second[0], v2, 1e-9);
}

TEST(ServerRule, YogiMovesTheSecondMomentByTheSignOfTheDifference) {
  const Yogi rule{.lr = 0.1f, .beta1 = 0.9f, .beta2 = 0.99f, .tau = 1e-3f};
  // The first step grows v by (1 - beta2) mean^2, as Adam does.
  const auto grown = two_steps(rule, 0.2f, 0.5f);
  const double v1 = 0.01 * 0.04;
  EXPECT_NEAR(grown.moments.second[0], v1 + 0.01 * 0.25, 1e-8);
  const double m2 = 0.9 * 0.1 * 0.2 + 0.1 * 0.5;
  EXPECT_NEAR(grown.delta2, 0.1 * m2 / (std::sqrt(v1 + 0.01 * 0.25) + 1e-3), 1e-7);
  // A mean whose square is below v shrinks v by (1 - beta2) mean^2, where Adam would take (1 -
  // beta2) v.
  const auto shrunk = two_steps(rule, 0.2f, 0.01f);
  EXPECT_NEAR(shrunk.moments.second[0], v1 - 0.01 * 1e-4, 1e-9);
}

TEST(ServerRule, EveryEntryHasItsOwnMoments) {
  const ServerRule rule = Adam{};
  const ServerStep both = server_step(rule, {}, mean_of({0.3f, -0.7f}));
  EXPECT_EQ(both.delta[0], server_step(rule, {}, mean_of({0.3f})).delta[0]);
  EXPECT_EQ(both.delta[1], server_step(rule, {}, mean_of({-0.7f})).delta[0]);
}

TEST(ServerRule, AZeroMeanMovesNothing) {
  for (const char* name : {"sgd", "momentum", "adam", "yogi"})
    EXPECT_EQ(server_step(*server_rule_named(name), {}, mean_of({0})).delta[0], 0) << name;
}

TEST(ServerRule, NamesAreReadBack) {
  for (const char* name : {"sgd", "momentum", "adam", "yogi"})
    EXPECT_EQ(name_of(*server_rule_named(name)), name);
  EXPECT_EQ(server_rule_named("adagrad").error().what,
            "unknown server rule \"adagrad\": use sgd, momentum, adam or yogi");
}

TEST(ServerRuleDeath, MomentsOfAnotherLengthAreABug) {
  EXPECT_DEATH(server_step(Momentum{}, {{1, 2}, {}}, mean_of({1})), "2 entries for a mean of 1");
}

}  // namespace
}  // namespace freshet
