#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "aggregation/privacy/noise_plan.h"
#include "aggregation/privacy/pld.h"
#include "aggregation/privacy/rdp.h"

namespace freshet {
namespace {

std::vector<double> whole_orders() {
  std::vector<double> orders;
  for (int order = 2; order <= 64; ++order) orders.push_back(order);
  return orders;
}

double renyi(double sigma, double rate, std::uint64_t times, double delta) {
  const Release releases[] = {{sigma, rate, times}};
  return renyi_epsilon(releases, delta);
}

double tight(double sigma, double rate, std::uint64_t times, double delta) {
  const Release releases[] = {{sigma, rate, times}};
  return pld_epsilon(releases, delta);
}

struct EpsilonRow {
  int number;
  double sigma, rate;
  std::uint64_t times;
  double delta, epsilon, tolerance;
};

// Published: Opacus' and TensorFlow Privacy's own tests. Rows 5 and 6 are the exact fractional
// moments; those libraries add absolute values there, which is a little looser.
TEST(RenyiAccountant, GivesThePublishedEpsilons) {
  const EpsilonRow rows[] = {
      {1, 1.5, .04, 2250, 1e-5, 7.32911117143, 1e-9},
      {3, 1.3, .0025, 6000, 1e-5, 0.7242234026, 1e-9},
      {4, 1.0, .001, 30000, 1e-7, 1.4154988495, 1e-9},
      {5, 0.7, .01, 120, 1e-5, 3.2391922, 1e-6},
      {6, .35, .01, 120, 1e-5, 22.5970358, 1e-6},
      {7, 1.0, .0064, 782, 1e-6, 1.61639, 1e-5},
      {8, 1.0, 1, 5, 1e-6, 13.37638, 1e-4},
      {9, 0.7, 1, 2, 1e-5, 10.8602036, 1e-6},
      {10, .35, 1, 2, 1e-5, 26.2880374, 1e-6},
  };
  for (const EpsilonRow& row : rows)
    EXPECT_NEAR(renyi(row.sigma, row.rate, row.times, row.delta), row.epsilon, row.tolerance)
        << "row " << row.number;
}

TEST(RenyiAccountant, GivesThePublishedEpsilonsOverIntegerOrders) {
  const Release twenty[] = {{1.0, .1, 100}}, twenty_one[] = {{2.0, .2, 200}},
                twenty_two[] = {{5.0, 1, 100}};
  EXPECT_NEAR(renyi_epsilon(twenty, 1e-5, whole_orders()).epsilon, 7.97292, 1e-5);
  EXPECT_NEAR(renyi_epsilon(twenty_one, 1e-5, whole_orders()).epsilon, 8.08217, 1e-5);
  EXPECT_NEAR(renyi_epsilon(twenty_two, 1e-5, whole_orders()).epsilon, 10.80169, 1e-5);
}

TEST(RenyiAccountant, NamesTheOrderThatCounts) {
  const Release first[] = {{1.5, .04, 2250}}, third[] = {{1.3, .0025, 6000}};
  EXPECT_DOUBLE_EQ(renyi_epsilon(first, 1e-5, usual_orders()).order, 3.9);
  EXPECT_DOUBLE_EQ(renyi_epsilon(third, 1e-5, usual_orders()).order, 19);
}

TEST(RenyiAccountant, ComposesTwoMechanisms) {
  std::vector<double> orders(31);
  std::iota(orders.begin(), orders.end(), 2.0);
  const Release releases[] = {{1, 1e-5, 10}, {3, 1e-4, 4}};
  const RenyiEpsilon found = renyi_epsilon(releases, 1e-5, orders);
  EXPECT_NEAR(found.epsilon, 0.33634, 1e-5);
  EXPECT_DOUBLE_EQ(found.order, 23);
}

TEST(RenyiAccountant, IsExactBetweenIntegerOrders) {
  EXPECT_NEAR(50 * renyi_divergence({2.5, .01}, 1.5), 6.50070897e-4, 1e-11);
  // At the integers the series and the quadrature must agree.
  for (const double order : {2.0, 3.0, 7.0})
    EXPECT_NEAR(
        renyi_divergence({.9, .03}, order),
        (renyi_divergence({.9, .03}, order - 1e-7) + renyi_divergence({.9, .03}, order + 1e-7)) / 2,
        1e-9);
}

// Published: TensorFlow Privacy, DPA's own tests, our own exact forms. `above`: published as an
// upper bound with an error of 0.01, the PRV accountant's; 0: not.
TEST(LossDistributions, GiveThePublishedEpsilons) {
  struct TightRow : EpsilonRow {
    double above = 0;
  };
  const TightRow rows[] = {
      {{2, 1.5, .04, 2250, 1e-5, 6.76948, 1e-3}, 6.777395712},
      {{3, 1.3, .0025, 6000, 1e-5, 0.6400, 2e-4}},
      {{4, 1.0, .001, 30000, 1e-7, 1.0977, 2e-4}},
      {{5, 0.7, .01, 120, 1e-5, 2.4612381, 1e-5}},
      {{6, .35, .01, 120, 1e-5, 18.6977407, 1e-5}},
      {{7, 1.0, .0064, 782, 1e-6, 1.19865, 2e-5}},
      {{8, 1.0, 1, 5, 1e-6, 12.5952467, 1e-6}},
      {{9, 0.7, 1, 2, 1e-5, 10.1224946, 1e-6}},
      {{10, .35, 1, 2, 1e-5, 24.7160779, 1e-6}},
      {{11, 0.8, .001, 100, 1e-6, 0.26034, 2e-5}, 0.2704034},
      {{12, 1.5, .05, 100, 1e-6, 1.94374, 2e-5}, 1.9538531},
      {{13, 2.0, .2, 100, 1e-6, 5.66179, 2e-5}, 5.6720556},
      {{14, 3.0, .05, 1000, 1e-6, 2.51746, 1e-4}, 2.5275743},
      {{15, 2.0, .05, 20000, 1e-6, 24.4111, 1e-3}, 24.4217186},
      {{16, 3.0, .001, 50000, 1e-6, 0.2997, 1e-4}, 0.3096942},
      {{17, .67379294682, .01, 1, 1e-5, 1, 1e-5}},
      {{19, 1, 1, 1, 1e-5, 4.3771780957, 1e-9}},
      {{20, 1.0, .1, 100, 1e-5, 7.04660, 2e-5}},
      {{21, 2.0, .2, 200, 1e-5, 7.37228, 2e-5}},
  };
  for (const TightRow& row : rows) {
    SCOPED_TRACE(row.number);
    const double epsilon = tight(row.sigma, row.rate, row.times, row.delta);
    EXPECT_NEAR(epsilon, row.epsilon, row.tolerance);
    if (row.above == 0) continue;
    EXPECT_LE(epsilon, row.above);
    // The error of 0.01 and what its own grid adds, which grows with the number of releases.
    EXPECT_LE(row.above, epsilon + (row.number == 15 ? 0.0108 : 0.0103));
  }
}

TEST(LossDistributions, GiveThePublishedDelta) {  // row 18
  const Release releases[] = {{.5, .2, 3}};
  EXPECT_NEAR(pld_delta(releases, 1), 0.155933, 2e-6);
  EXPECT_NEAR(pld_delta(releases, 1), 0.15594, 1e-5);
}

TEST(LossDistributions, AreBoundedFromBothSides) {
  for (const Release release :
       {Release{.8, .001, 100}, Release{1.5, .05, 100}, Release{.7, .01, 120}}) {
    const Release releases[] = {release};
    const double low = pld_epsilon(releases, 1e-6, Rounding::kDown),
                 between = pld_epsilon(releases, 1e-6),
                 high = pld_epsilon(releases, 1e-6, Rounding::kUp);
    EXPECT_LE(low, between);
    EXPECT_LE(between, high);
    EXPECT_LT(high - low, 0.03 * between + 0.02);
  }
}

TEST(LossDistributions, AreNeverAboveTheRenyiBound) {
  for (const double sigma : {.6, 1.0, 2.0})
    for (const double rate : {.01, .2, 1.0})
      EXPECT_LE(tight(sigma, rate, 40, 1e-5), renyi(sigma, rate, 40, 1e-5)) << sigma << " " << rate;
}

TEST(Accountants, FallWithNoiseAndRiseWithUse) {
  for (const auto epsilon : {renyi, tight}) {
    const double base = epsilon(1, .05, 50, 1e-5);
    EXPECT_LT(epsilon(1.1, .05, 50, 1e-5), base);
    EXPECT_GT(epsilon(1, .06, 50, 1e-5), base);
    EXPECT_GT(epsilon(1, .05, 60, 1e-5), base);
    EXPECT_GT(epsilon(1, .05, 50, 1e-6), base);
    EXPECT_EQ(epsilon(1, 0, 50, 1e-5), 0);
    EXPECT_EQ(epsilon(1, 1, 0, 1e-5), 0);
    EXPECT_TRUE(std::isinf(epsilon(0, .05, 1, 1e-5)));
  }
}

TEST(Accountants, AnswerAtOnceWhateverTheyAreAsked) {
  for (const Release release : {Release{1e-300, .5, 3}, Release{.05, .5, 1}, Release{.5, .2, 500},
                                Release{1e6, 1e-9, 1}, Release{1, 1, 1'000'000}}) {
    const Release releases[] = {release};
    const double loose = renyi_epsilon(releases, 1e-6), close = pld_epsilon(releases, 1e-6);
    EXPECT_GE(close, 0) << release.multiplier;
    EXPECT_LE(close, loose * (1 + 1e-3)) << release.multiplier << " " << release.rate;
  }
}

TEST(Accountants, ComposeInAnyOrder) {
  std::vector<Release> releases = {{1, .05, 20}, {2, 1, 3}, {.8, .01, 7}};
  const double first = renyi_epsilon(releases, 1e-5), first_pld = pld_epsilon(releases, 1e-5);
  std::swap(releases[0], releases[2]);
  EXPECT_NEAR(renyi_epsilon(releases, 1e-5), first, 1e-12);
  EXPECT_NEAR(pld_epsilon(releases, 1e-5), first_pld, 1e-9);
  const Release parts[] = {{1, .05, 8}, {2, 1, 1}, {1, .05, 12}, {2, 1, 2}, {.8, .01, 7}};
  EXPECT_NEAR(renyi_epsilon(parts, 1e-5), first, 1e-12);
  EXPECT_NEAR(pld_epsilon(parts, 1e-5), first_pld, 1e-7);
}

TEST(DiscreteSums, LoseAlmostNothingToRoundingFromTwoGridUnitsOn) {
  EXPECT_NEAR(sum_slack(.5, 100), 9.70, .01);
  EXPECT_NEAR(sum_slack(1, 100), 5.48e-4, 1e-6);
  EXPECT_NEAR(sum_slack(2, 100), 7.2e-17, 1e-18);
}

TEST(DiscreteSums, GiveTheEpsilonsThatWereWorkedOut) {
  const double d = 1 << 20, scale = 4096;
  const DiscreteSum sum{rounded_norm(scale, 1 << 20), 5 * scale / 10, 100, d};
  for (const auto& [times, epsilon] : {std::pair{1, 0.80131}, {100, 10.89709}}) {
    double best = INFINITY;
    for (const double order : whole_orders())
      best = std::min(best, times * discrete_sum_divergence(sum, order) + std::log1p(-1 / order) -
                                (std::log(1e-5) + std::log(order)) / (order - 1));
    EXPECT_NEAR(best, epsilon, 1e-5) << times;
  }
  const Release continuous[] = {{.multiplier = 5}};
  EXPECT_NEAR(renyi_epsilon(continuous, 1e-5, whole_orders()).epsilon, 0.79452, 1e-5);
}

}  // namespace
}  // namespace freshet
