#include <gtest/gtest.h>

#include "simulations/simulation.h"

namespace freshet::sim {
namespace {

Size masked(std::uint32_t nodes, std::uint32_t rounds) {
  return {.nodes = nodes, .rounds = rounds, .masked = true};
}

TEST(MaskedSimulation, KeepsItsPromisesForManySeeds) {
  std::uint64_t crashes = 0, aborted = 0, finished = 0, failed = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    const auto nodes = static_cast<std::uint32_t>(5 + seed % 20);
    const Outcome outcome = simulate(world_of(seed, masked(nodes, 2), false));
    ASSERT_FALSE(outcome.violation) << "seed " << seed << ": " << *outcome.violation;
    crashes += outcome.crashes;
    aborted += outcome.attempts - outcome.versions;
    ++(outcome.finished ? finished : failed);
  }
  // The worlds are rough enough for this to mean something.
  EXPECT_GT(crashes, 30u);
  EXPECT_GT(aborted, 10u);
  EXPECT_GT(finished, 20u);
}

TEST(MaskedSimulation, IsTheSameForTheSameSeed) {
  const World world = world_of(11, masked(9, 2), false);
  const Outcome once = simulate(world), again = simulate(world);
  EXPECT_EQ(once.trace, again.trace);
  EXPECT_EQ(once.events, again.events);
}

TEST(MaskedSimulation, IsTheSameOnAnyNumberOfThreads) {
  for (std::uint64_t seed = 20; seed <= 24; ++seed) {
    const World world = world_of(seed, masked(16, 2), false);
    const Outcome alone = simulate(world), together = simulate(world, {}, 3);
    EXPECT_EQ(together.trace, alone.trace) << "seed " << seed;
    EXPECT_EQ(together.events, alone.events) << "seed " << seed;
    EXPECT_EQ(together.messages, alone.messages) << "seed " << seed;
  }
}

TEST(MaskedSimulation, HoldsThroughTheRealCodec) {
  for (std::uint64_t seed = 1; seed <= 2; ++seed) {
    const Outcome outcome = simulate(world_of(seed, masked(7, 1), true));
    ASSERT_FALSE(outcome.violation) << "seed " << seed << ": " << *outcome.violation;
  }
}

// With nodes that die before each of their words, one that lies, messages that get lost, and a
// coordinator that dies.
TEST(MaskedSimulation, HoldsOnASparseGraph) {
  Size size = masked(300, 1);
  size.calm = Calm::kSparse;
  World world = world_of(1, size, false);
  world.rules.cohort_min = world.plan.cohort_min = 280;
  for (std::size_t i = 0; i < world.nodes.size(); i += 20) {
    world.nodes[i].stop = static_cast<Stop>(1 + i / 20 % 5);
    world.nodes[i].stop_ms = 600'000;
  }
  world.nodes[7].lie = Lie::kWrongShare;
  world.network.loss = 0.01;
  world.network.duplicate = 0.02;
  world.network.delay_max_ms = 200;
  world.crashes.push_back({.effect = 2'000, .down_ms = 500});
  const Outcome outcome = simulate(world);
  ASSERT_FALSE(outcome.violation) << *outcome.violation;
  EXPECT_GE(outcome.versions, 1u);
}

}  // namespace
}  // namespace freshet::sim
