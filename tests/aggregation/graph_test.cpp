#include "aggregation/graph.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <set>

#include "base/limits.h"
#include "base/rng.h"

namespace freshet {
namespace {

struct GraphRow {
  std::uint32_t n;
  double corrupt, dropped;
  bool quorum;  // of signatures: the graph itself need not tell two survivor lists apart
  std::uint32_t degree, threshold;
};

class PlannedGraph : public testing::TestWithParam<GraphRow> {};

TEST_P(PlannedGraph, HasTheDegreeAndThresholdOfThePublishedTable) {
  const GraphRow& row = GetParam();
  const auto plan = plan_graph(row.n, {row.corrupt, row.dropped, 40, 20, row.quorum});
  ASSERT_TRUE(plan) << plan.error().what;
  EXPECT_EQ(plan->degree, row.degree);
  EXPECT_EQ(plan->threshold, row.threshold);
  EXPECT_FALSE(plan->complete);
}

// At 2^-40, of Google's federated-compute, and of an independent implementation of its conditions.
INSTANTIATE_TEST_SUITE_P(
    At40Bits, PlannedGraph,
    testing::Values(GraphRow{100, .05, .05, true, 12, 6}, GraphRow{100, .05, .05, false, 16, 11},
                    GraphRow{1000, .05, .05, true, 30, 17}, GraphRow{1000, .05, .05, false, 52, 37},
                    GraphRow{10000, .05, .05, true, 34, 20},
                    GraphRow{10000, .05, .05, false, 62, 44}, GraphRow{100, .05, .33, true, 28, 6},
                    GraphRow{100, .05, .33, false, 72, 39}, GraphRow{1000, .05, .33, true, 72, 24},
                    GraphRow{1000, .33, .05, false, 132, 109},
                    GraphRow{100, .33, .33, true, 68, 34}, GraphRow{1000, .3, .3, false, 872, 584},
                    GraphRow{64, .1, .2, true, 18, 7}, GraphRow{64, .1, .2, false, 32, 20},
                    GraphRow{128, .1, .2, true, 30, 13}, GraphRow{128, .1, .2, false, 62, 38},
                    GraphRow{256, .1, .2, true, 48, 22}, GraphRow{256, .1, .2, false, 102, 64},
                    GraphRow{1000, .1, .2, true, 66, 31}, GraphRow{1000, .1, .2, false, 194, 124}));

TEST(GraphPlan, TakesMoreNeighboursForMoreSecurity) {
  for (const std::uint32_t n : {300u, 1000u, 3000u}) {
    const auto at_40 = plan_graph(n, {.1, .2, 40}), at_80 = plan_graph(n, {.1, .2});
    ASSERT_TRUE(at_40 && at_80);
    EXPECT_GT(at_80->degree, at_40->degree);
    EXPECT_LT(at_80->degree, n / 2);
  }
}

TEST(GraphPlan, OfARoundIsCompleteUpToABound) {
  const GraphTarget target{.1, .2};
  EXPECT_TRUE(plan_round_graph(limits::kCompleteGraphMax, target)->complete);
  EXPECT_FALSE(plan_round_graph(limits::kCompleteGraphMax + 1, target)->complete);
  const auto hopeless = plan_round_graph(300, {.6, .6});  // no sparse graph stands that
  ASSERT_TRUE(hopeless);
  EXPECT_TRUE(hopeless->complete);
}

TEST(GraphPlan, OfARoundCountsOnTriedSeedsAndOnWhomACoordinatorLeavesOut) {
  for (const std::uint32_t n : {300u, 1000u}) {
    const GraphTarget target{.corrupt = .1, .dropped = .05, .honest_min = 4};
    const GraphPlan round = plan_round_graph(n, target).value();
    const std::uint32_t quorum = plan_complete(n, target.corrupt)->threshold;
    GraphTarget same = target;
    same.tried_seed_bits = kTriedSeedBits;
    same.left_out = static_cast<double>(n - quorum) / n;
    EXPECT_EQ(round, plan_graph(n, same).value());
    EXPECT_GT(round.degree, plan_graph(n, target)->degree);
    // Each by itself: seeds are tried against the planned drop-outs, and more may be lost by
    // chance.
    GraphTarget tried = target, lost = target;
    tried.tried_seed_bits = kTriedSeedBits;
    lost.left_out = same.left_out;
    EXPECT_EQ(round.degree, std::max(plan_graph(n, tried)->degree, plan_graph(n, lost)->degree));
  }
  EXPECT_EQ(plan_round_graph(1000, {.corrupt = .1, .dropped = .1, .honest_min = 4})->degree, 86u);
  EXPECT_EQ(plan_round_graph(1000, {.corrupt = .1, .dropped = .05, .honest_min = 4})->degree, 78u);
}

Digest seed_of(std::uint8_t value) {
  Digest seed;
  seed.fill(value);
  return seed;
}

// Worlds of 400 in which a coordinator knows the graph and who is corrupt, and leaves out the
// honest neighbours of one member, as far as that one lets it. Returns the fewest honest members
// that were left around any of them, itself included.
std::uint32_t fewest_honest_around_anybody(const GraphPlan& plan, double corrupt) {
  const std::uint32_t n = 400;
  std::uint32_t fewest = n;
  for (std::uint8_t world = 0; world < 40; ++world) {
    const Graph graph(seed_of(world), n, plan.degree);
    for (std::uint32_t member = 0; member < n; ++member) {
      const auto is_corrupt = [&](std::uint32_t i) { return i < corrupt * n; };
      if (is_corrupt(member)) continue;
      const auto around = graph.neighbours(member);
      const auto bad = static_cast<std::uint32_t>(std::ranges::count_if(around, is_corrupt));
      // It goes on while threshold - 1 neighbours do; the corrupt ones do whatever it takes.
      const std::uint32_t alive = std::max(plan.threshold - 1, bad);
      fewest = std::min(fewest, alive - bad + 1);
    }
  }
  return fewest;
}

// With few bits, so that the tails are met in so few worlds. Without honest_min a member is left
// alone among the corrupt, who know all its masks; with it no sum over fewer can be opened.
TEST(GraphPlan, LeavesEnoughHonestAroundEachWhomeverACoordinatorLeavesOut) {
  GraphTarget target{.corrupt = .3, .dropped = .1, .security_bits = 2, .correctness_bits = 4};
  const GraphPlan alone = plan_graph(400, target).value();
  EXPECT_LT(fewest_honest_around_anybody(alone, .3), 4u);  // it bites
  target.security_bits = 14;
  target.honest_min = 4;
  EXPECT_GE(fewest_honest_around_anybody(plan_graph(400, target).value(), .3), 4u);
}

TEST(GraphPlan, QuorumKeepsTwoSurvivorListsApart) {
  struct Point {
    std::uint32_t n, corrupt, least;
  };
  for (const Point& p : {Point{10, 1, 6}, Point{20, 2, 12}, Point{50, 5, 28}, Point{100, 10, 56},
                         Point{100, 33, 67}, Point{128, 12, 71}}) {
    EXPECT_EQ((p.n + p.corrupt) / 2 + 1, p.least);
    const auto plan = plan_complete(p.n, static_cast<double>(p.corrupt) / p.n);
    ASSERT_TRUE(plan);
    EXPECT_GE(plan->quorum, p.least);
    EXPECT_EQ(plan->threshold, std::max(p.least, 2 * p.n / 3 + 1));
  }
  for (std::uint32_t n = 2; n <= 400; ++n) {
    const auto plan = plan_complete(n, 1.0 / 3);
    ASSERT_TRUE(plan) << n;
    EXPECT_EQ(plan->threshold, std::max(2 * n / 3 + 1, 2u)) << n;
    EXPECT_GT(plan->quorum, (1 + 1.0 / 3) * n / 2 - 1e-9) << n;
    EXPECT_LE(plan->quorum, n);
  }
}

TEST(GraphPlan, RefusesWhatNoThresholdCanDo) {
  EXPECT_FALSE(plan_complete(1, .1));
  EXPECT_FALSE(plan_complete(0, .1));
  EXPECT_FALSE(plan_complete(10, 1.0));
  EXPECT_FALSE(plan_complete(10, -.1));
  EXPECT_FALSE(plan_graph(100, {.6, .6}));
  EXPECT_FALSE(plan_graph(1000, {.1, 1.5}));
  EXPECT_FALSE(plan_complete(limits::kCohortMax + 1, .1));
}

TEST(Graph, JoinsEachMemberToSoManyOthersBothWays) {
  for (const auto& [n, degree] : std::vector<std::pair<std::uint32_t, std::uint32_t>>{
           {7, 6}, {8, 7}, {20, 6}, {21, 4}, {301, 60}, {9, 8}}) {
    const Graph graph(seed_of(1), n, degree);
    for (std::uint32_t i = 0; i < n; ++i) {
      const auto around = graph.neighbours(i);
      EXPECT_EQ(around.size(), degree);
      EXPECT_TRUE(std::ranges::is_sorted(around));
      EXPECT_EQ(std::set(around.begin(), around.end()).size(), degree);
      for (const std::uint32_t other : around) {
        EXPECT_NE(other, i);
        EXPECT_TRUE(std::ranges::count(graph.neighbours(other), i)) << i << " and " << other;
      }
    }
  }
}

TEST(Graph, DependsOnTheSeedAlone) {
  auto whole = [](const Graph& graph) {
    std::vector<std::vector<std::uint32_t>> all;
    for (std::uint32_t i = 0; i < 50; ++i) all.push_back(graph.neighbours(i));
    return all;
  };
  EXPECT_EQ(whole({seed_of(1), 50, 6}), whole({seed_of(1), 50, 6}));
  EXPECT_NE(whole({seed_of(1), 50, 6}), whole({seed_of(2), 50, 6}));
}

TEST(Graph, PlacesAreUniform) {
  // How often member 0 and member 1 are neighbours on 400 rings of 21 with 4 each: a fifth.
  int joined = 0;
  for (int i = 0; i < 400; ++i) {
    Digest seed{};
    seed[0] = static_cast<std::uint8_t>(i), seed[1] = static_cast<std::uint8_t>(i >> 8);
    const auto around = Graph(seed, 21, 4).neighbours(0);
    joined += static_cast<int>(std::ranges::count(around, 1u));
  }
  EXPECT_NEAR(joined, 80, 4 * 8);
}

TEST(Graph, OfAPlanHoldsTogetherWithoutCorruptAndDropped) {
  const std::uint64_t seed = 5;
  SCOPED_TRACE(seed);
  Rng rng(seed);
  const std::uint32_t n = 400;
  const auto plan = plan_graph(n, {.1, .2}).value();
  for (int round = 0; round < 20; ++round) {
    const Graph graph(seed_of(static_cast<std::uint8_t>(round)), n, plan.degree);
    std::vector<bool> gone(n);
    for (std::uint32_t left = n * 3 / 10; left > 0;)
      if (auto&& member = gone[rng.below(n)]; !member) member = true, --left;
    const auto start = static_cast<std::uint32_t>(std::ranges::find(gone, false) - gone.begin());
    std::vector<bool> seen = gone;
    seen[start] = true;
    std::deque<std::uint32_t> next = {start};
    std::uint32_t reached = 1;
    for (; !next.empty(); next.pop_front())
      for (const std::uint32_t other : graph.neighbours(next.front()))
        if (!seen[other]) seen[other] = true, ++reached, next.push_back(other);
    EXPECT_EQ(reached, n - n * 3 / 10);
  }
}

}  // namespace
}  // namespace freshet
