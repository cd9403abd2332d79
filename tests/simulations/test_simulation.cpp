#include <gtest/gtest.h>

#include "simulations/simulation.h"
#include "tests/simulations/mutants.h"

namespace freshet::sim {
namespace {

constexpr Size kSmall{20, 3};

TEST(Simulation, HoldsItsInvariantsForManySeeds) {
  std::uint64_t crashes = 0, aborted = 0, finished = 0, failed = 0;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    const Outcome outcome = simulate(world_of(seed, kSmall, false));
    ASSERT_FALSE(outcome.violation) << "seed " << seed << ": " << *outcome.violation;
    crashes += outcome.crashes;
    aborted += outcome.attempts - outcome.versions;
    ++(outcome.finished ? finished : failed);
  }
  // The worlds are rough enough for this to mean something.
  EXPECT_GT(crashes, 100u);
  EXPECT_GT(aborted, 10u);
  EXPECT_GT(finished, 150u);
  EXPECT_GT(failed, 0u);
}

TEST(Simulation, IsTheSameForTheSameSeed) {
  const World world = world_of(11, kSmall, false);
  const Outcome once = simulate(world), again = simulate(world),
                other = simulate(world_of(12, kSmall, false));
  EXPECT_EQ(once.trace, again.trace);
  EXPECT_EQ(once.events, again.events);
  EXPECT_NE(once.trace, other.trace);
}

TEST(Simulation, IsTheSameOnAnyNumberOfThreads) {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    const World world = world_of(seed, kSmall, seed % 3 == 0);
    const Outcome alone = simulate(world);
    for (const int threads : {2, 5}) {
      const Outcome together = simulate(world, {}, threads);
      EXPECT_EQ(together.trace, alone.trace) << "seed " << seed << ", " << threads << " threads";
      EXPECT_EQ(together.events, alone.events) << "seed " << seed << ", " << threads << " threads";
      EXPECT_EQ(together.messages, alone.messages) << "seed " << seed;
    }
  }
}

TEST(Simulation, HoldsThroughTheRealCodecAndSeal) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    const Outcome outcome = simulate(world_of(seed, Size{6, 2}, true));
    ASSERT_FALSE(outcome.violation) << "seed " << seed << ": " << *outcome.violation;
    EXPECT_GT(outcome.versions, 0u) << "seed " << seed;
  }
}

TEST(Simulation, HoldsForAFleetOfOne) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    const Outcome outcome = simulate(world_of(seed, Size{1, 2}, false));
    ASSERT_FALSE(outcome.violation) << "seed " << seed << ": " << *outcome.violation;
  }
}

// Each broken machine is noticed within fifty seeds; a violation that no mutant causes would be no
// check at all.
TEST(Mutants, AreAllCaught) {
  constexpr std::uint64_t kSeeds = 50;
  for (const Mutant& mutant : mutants()) {
    std::string seen;
    for (std::uint64_t seed = 1; seed <= kSeeds && seen.empty(); ++seed) {
      const Outcome outcome = simulate(world_of(seed, kSmall, false), mutant.machines);
      if (outcome.violation) seen = "seed " + std::to_string(seed) + ": " + *outcome.violation;
    }
    EXPECT_FALSE(seen.empty()) << "nobody noticed a machine that " << mutant.name;
    RecordProperty(mutant.name, seen);
    if (std::getenv("FRESHET_SHOW_MUTANTS") != nullptr)
      std::printf("%-40s %s\n", mutant.name.c_str(), seen.c_str());
  }
}

}  // namespace
}  // namespace freshet::sim
