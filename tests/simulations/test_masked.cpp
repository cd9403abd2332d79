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

TEST(MaskedSimulation, HoldsThroughTheRealCodec) {
  for (std::uint64_t seed = 1; seed <= 2; ++seed) {
    const Outcome outcome = simulate(world_of(seed, masked(7, 1), true));
    ASSERT_FALSE(outcome.violation) << "seed " << seed << ": " << *outcome.violation;
  }
}

TEST(MaskedSimulation, HoldsOnASparseGraph) {
  Size size = masked(300, 1);
  size.calm = Calm::kSparse;
  const Outcome outcome = simulate(world_of(1, size, false));
  ASSERT_FALSE(outcome.violation) << *outcome.violation;
  EXPECT_EQ(outcome.versions, 1u);
}

}  // namespace
}  // namespace freshet::sim
