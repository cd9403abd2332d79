#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "aggregation/robust/combine.h"
#include "aggregation/robust/shares.h"
#include "aggregation/robust/trust.h"
#include "base/rng.h"

namespace freshet {
namespace {

using Vectors = std::vector<std::vector<float>>;

const Vectors kSeven = {{1, 1},     {1.2f, .9f}, {.9f, 1.1f}, {1.1f, 1.2f},
                        {.8f, .8f}, {10, -10},   {-9, 12}};

void expect_near(const std::vector<double>& got, const std::vector<double>& want, double off) {
  ASSERT_EQ(got.size(), want.size());
  for (std::size_t i = 0; i < want.size(); ++i) EXPECT_NEAR(got[i], want[i], off) << "entry " << i;
}

std::vector<double> by(const RobustRule& rule, const Vectors& updates) {
  const auto mean = robust_mean(rule, updates);
  EXPECT_TRUE(mean) << mean.error().what;
  return mean ? *mean : std::vector<double>{};
}

Distances distances_of(const Vectors& updates) {
  OpenedBlock block(updates.size(), updates[0].size());
  for (std::size_t i = 0; i < updates.size(); ++i) block.set(i, updates[i], 0);
  Distances distances(updates.size());
  distances.add(block);
  return distances;
}

TEST(RobustRules, GiveTheKnownAnswersOnSevenPoints) {
  expect_near(by(Mean{}, kSeven), {0.857142857, 1}, 1e-7);
  expect_near(by(Median{}, kSeven), {1, 1}, 1e-7);
  expect_near(by(TrimmedMean{2}, kSeven), {1, 1}, 1e-7);
  expect_near(by(Krum{2}, kSeven), {1, 1}, 0);
  expect_near(by(MultiKrum{2, 3}, kSeven), {1, 1.1}, 1e-7);
  expect_near(by(Bulyan{1}, kSeven), {1, 1}, 1e-7);
  expect_near(by(GeometricMedian{10'000, 1e-5}, kSeven), {1, 1}, 2e-5);
}

TEST(RobustRules, ScoreAndChooseAsKrumAndBulyanDo) {
  const std::vector<double> scores = krum_scores(distances_of(kSeven), 2);
  expect_near(scores, {.12, .28, .17, .20, .35, 599.53, 656.47}, 1e-4);
  EXPECT_EQ(bulyan_choices(distances_of(kSeven), 1), (std::vector<std::size_t>{0, 2, 1, 3, 4}));
  const auto kept = shares_of(MultiKrum{2, 3}, distances_of(kSeven));
  expect_near(kept, {1 / 3., 0, 1 / 3., 1 / 3., 0, 0, 0}, 1e-12);
  // One of three, in one dimension: the value with the nearest neighbour, not an end.
  EXPECT_EQ(krum_scores(distances_of({{.2f}, {.7f}, {1.f}, {5.f}, {6.f}}), 1).size(), 5u);
}

double objective(const std::vector<double>& at, const Vectors& points) {
  double sum = 0;
  for (const auto& point : points) {
    double squared = 0;
    for (std::size_t i = 0; i < at.size(); ++i) squared += (at[i] - point[i]) * (at[i] - point[i]);
    sum += std::sqrt(squared);
  }
  return sum;
}

TEST(RobustRules, FindTheGeometricMedian) {
  const GeometricMedian exact{20'000, 1e-7};
  EXPECT_NEAR(objective(by(GeometricMedian{10'000, 1e-5}, kSeven), kSeven), 29.9502168, 2e-5);
  // A convex quadrilateral: where the diagonals cross; a square: its centre.
  expect_near(by(exact, {{0, 0}, {4, 0}, {5, 3}, {1, 2}}), {2.105263158, 1.263157895}, 1e-6);
  expect_near(by(exact, {{0, 0}, {2, 0}, {2, 2}, {0, 2}}), {1, 1}, 1e-9);
  const double corner = (3 - std::sqrt(3.)) / 6;
  expect_near(by(exact, {{0, 0}, {1, 0}, {0, 1}}), {corner, corner}, 1e-6);
}

TEST(RobustRules, TrustUpdatesByTheAngleToTheOwn) {
  const Vectors updates = {{3, 4}, {6, 8}, {-3, -4}, {4, -3}, {0, 10}};
  const std::vector<float> own = {3, 4};
  const auto mean = trusted_mean(own, updates);
  ASSERT_TRUE(mean) << mean.error().what;
  expect_near(*mean, {2.142857, 4.285714}, 1e-6);
  const Vectors against = {{-3, -4}, {4, -3}};
  expect_near(*trusted_mean(own, against), {0, 0}, 0);
  EXPECT_FALSE(trusted_mean(own, Vectors{{1, NAN}}));
}

TEST(RobustRules, TakeTheLowestIndexOfATie) {
  const Vectors twice = {{0, 0}, {0, 0}, {3, 3}, {3, 3}, {9, 9}, {9, 9}};
  expect_near(by(Krum{1}, twice), {0, 0}, 0);
  const auto shares = shares_of(Krum{1}, distances_of({{1}, {1}, {1}, {1}, {1}}));
  expect_near(shares, {1, 0, 0, 0, 0}, 0);
}

TEST(RobustRules, MeanTheMiddlePairOfAnEvenNumber) {
  expect_near(by(Median{}, {{1, 8}, {2, 4}, {10, 2}, {4, 1}}), {3, 3}, 0);
}

TEST(RobustRules, RefuseWhatIsNoNumberBeforeAnyRuleSeesIt) {
  const std::vector<RobustRule> rules = {Mean{},          Median{},  TrimmedMean{1},   Krum{1},
                                         MultiKrum{1, 1}, Bulyan{1}, GeometricMedian{}};
  const float infinity = std::numeric_limits<float>::infinity();
  for (const RobustRule& rule : rules)
    for (const float bad : {std::nanf(""), infinity, -infinity}) {
      Vectors updates = kSeven;
      updates[3][1] = bad;
      const auto mean = robust_mean(rule, updates);
      ASSERT_FALSE(mean) << name_of(rule);
      EXPECT_EQ(mean.error().code, Code::kBadInput);
      EXPECT_NE(mean.error().what.find("entry 1 of update 3"), std::string::npos)
          << mean.error().what;
    }
}

TEST(RobustRules, RefuseTooFewUpdatesAndSayHowManyItTakes) {
  struct Case {
    RobustRule rule;
    std::uint32_t enough;
  };
  const std::vector<Case> cases = {{TrimmedMean{3}, 7},  {Krum{2}, 7},    {MultiKrum{2, 3}, 7},
                                   {MultiKrum{2, 5}, 9}, {Bulyan{2}, 11}, {Mean{}, 1}};
  for (const Case& each : cases) {
    EXPECT_TRUE(check_enough(each.rule, each.enough));
    const auto few = check_enough(each.rule, each.enough - 1);
    ASSERT_FALSE(few) << name_of(each.rule);
    EXPECT_NE(few.error().what.find(std::to_string(each.enough)), std::string::npos)
        << few.error().what;
  }
  EXPECT_FALSE(check_enough(MultiKrum{1, 0}, 9));
  EXPECT_FALSE(robust_mean(Mean{}, Vectors{{1, 2}, {1}}));
}

TEST(RobustRules, HaveNamesThatReadBack) {
  for (const char* name :
       {"mean", "median", "trimmed-mean", "krum", "multi-krum", "bulyan", "geometric-median"})
    EXPECT_EQ(name_of(robust_rule_named(name).value()), name);
  EXPECT_FALSE(robust_rule_named("majority"));
  EXPECT_FALSE(needs_single_updates(Mean{}));
  EXPECT_TRUE(needs_single_updates(Median{}));
}

// Every rule but the mean stays with the honest ones however far a minority goes.
TEST(RobustRules, StayWhereTheMajorityIs) {
  const std::uint64_t seed = 5;
  SCOPED_TRACE(seed);
  Rng rng(seed);
  Vectors updates(15, std::vector<float>(40));
  for (auto& update : updates)
    for (float& value : update) value = static_cast<float>(2 + 0.1 * rng.normal());
  for (std::size_t bad = 0; bad < 3; ++bad)
    for (float& value : updates[4 * bad + 1]) value = -1e6f;
  const std::vector<RobustRule> rules = {Median{},        TrimmedMean{3}, Krum{3},
                                         MultiKrum{3, 8}, Bulyan{3},      GeometricMedian{200}};
  for (const RobustRule& rule : rules)
    for (const double value : by(rule, updates)) EXPECT_NEAR(value, 2, 0.5) << name_of(rule);
  EXPECT_LT(by(Mean{}, updates)[0], -1e5);
}

// Blocks of coordinates give what the whole gives: sums of whole numbers are exact.
TEST(RobustRules, AddUpDistancesBlockByBlock) {
  Rng rng(7);
  Vectors updates(9, std::vector<float>(10'007));
  for (auto& update : updates)
    for (float& value : update) value = static_cast<float>(rng.below(1 << 12));
  const Distances whole = distances_of(updates);
  Distances parts(updates.size());
  for (std::size_t first = 0; first < 10'007; first += 777) {
    OpenedBlock block(updates.size(), std::min<std::size_t>(777, 10'007 - first));
    for (std::size_t i = 0; i < updates.size(); ++i) block.set(i, updates[i], first);
    parts.add(block);
  }
  for (std::size_t a = 0; a < 9; ++a)
    for (std::size_t b = 0; b < 9; ++b) EXPECT_EQ(parts.squared(a, b), whole.squared(a, b));
  EXPECT_GT(whole.squared(0, 1), 0);
}

}  // namespace
}  // namespace freshet
