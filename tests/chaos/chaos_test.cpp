// Every place at which a daemon may die, lose its power or its disk, one after another: the n-th
// strikes in the n-th campaign, until one goes by unharmed. `make chaos` takes them all; else one
// in so many, always the same ones.

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <map>

#include "tests/chaos/campaigns.h"
#include "tests/integration/campaigns.h"
#include "tests/temp_folder.h"

namespace freshet::chaos {
namespace {

constexpr int kAtATime = 4, kPlacesMax = 2000;

bool takes_all() { return std::getenv("FRESHET_CHAOS") != nullptr; }

FleetPlan toy_campaign(bool masked) {
  FleetPlan plan{.nodes = masked ? 4 : 2, .rounds = masked ? 1 : 2, .masked = masked};
  if (!masked) return plan;
  plan.phase_ms = 10'000;  // a node that died is waited for so long
  plan.noise_multiplier = 0.5;
  plan.survivors_min = 3;
  plan.honest_min = 2;
  plan.keep_unmasked = true;
  return plan;
}

// A campaign in a process of its own: its report is one line on a pipe.
class Attempt {
 public:
  Attempt(const World& world, const Scenario& scenario, int at, const std::string& undisturbed)
      : at_(at) {
    int pipe[2];
    EXPECT_EQ(::pipe2(pipe, O_CLOEXEC), 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      TempFolder folder;
      const Lived lived = live_through(world, folder.path(), scenario, at, undisturbed);
      const std::string line = std::string(lived.hit ? "hit " : "unharmed ") + lived.where +
                               (lived.wrong ? "\n" + *lived.wrong : std::string());
      (void)!::write(pipe[1], line.data(), line.size());
      if (!lived.wrong) std::filesystem::remove_all(folder.path());
      ::_exit(0);
    }
    ::close(pipe[1]);
    line_ = UniqueFd(pipe[0]);
  }
  Attempt(Attempt&&) = default;

  // False: nothing was hit.
  bool finish(const std::string& scenario) {
    const std::string text = read_all(line_.get(), "attempt", 1 << 16).value_or("");
    ::waitpid(pid_, nullptr, 0);
    const std::size_t end = text.find('\n');
    where_ = text.substr(0, end);
    EXPECT_EQ(end, std::string::npos) << scenario << ", place " << at_ << " (" << where_
                                      << "): " << text.substr(std::min(end, text.size()));
    EXPECT_FALSE(text.empty()) << scenario << ", place " << at_ << ": no report";
    return text.starts_with("hit ");
  }
  const std::string& where() const { return where_; }

 private:
  int at_;
  pid_t pid_ = -1;
  UniqueFd line_;
  std::string where_;
};

struct Pristine {
  World world;
  std::string undisturbed;
};
Pristine make_pristine(const Path& folder, bool masked) {
  const World world = World::make(folder / "pristine", toy_campaign(masked));
  return {world, run_undisturbed(world.copy_to(folder / "undisturbed"))};
}

std::string name_of(const Scenario& scenario, bool masked) {
  return fmt::format("{}, {}, {}", masked ? "masked" : "trusted", scenario.victim,
                     name_of(scenario.fault));
}

// One place after another, until the first that the victim does not come to.
void take_all_places(const Scenario& scenario, bool masked) {
  if (!takes_all()) GTEST_SKIP() << "make chaos";
  TempFolder folder;
  const Pristine pristine = make_pristine(folder.path(), masked);
  std::map<std::string, int> places;
  int at = 1, hits = 0;
  for (bool more = true; more && at < kPlacesMax;) {
    std::vector<Attempt> attempts;
    for (int i = 0; i < kAtATime; ++i)
      attempts.emplace_back(pristine.world, scenario, at++, pristine.undisturbed);
    for (Attempt& attempt : attempts) {
      more = attempt.finish(name_of(scenario, masked)) && more;
      if (attempt.where().starts_with("hit ")) ++hits, ++places[attempt.where().substr(4)];
    }
    more = more && !::testing::Test::HasFailure();
  }
  EXPECT_GT(hits, 0);
  std::printf("%s: %d places", name_of(scenario, masked).c_str(), hits);
  for (const auto& [place, count] : places) std::printf(", %s %d", place.c_str(), count);
  std::printf("\n");
}

TEST(Chaos, ACoordinatorKilledAnywhereInATrustedCampaign) {
  take_all_places({"c", Fault::kKill}, false);
}
TEST(Chaos, ACoordinatorKilledAnywhereInAMaskedCampaign) {
  take_all_places({"c", Fault::kKill}, true);
}
TEST(Chaos, ACoordinatorWhosePowerIsLostAnywhere) {
  take_all_places({"c", Fault::kPowerLoss}, true);
}
TEST(Chaos, ACoordinatorWhoseDiskFailsToSync) { take_all_places({"c", Fault::kFailedSync}, true); }
TEST(Chaos, ACoordinatorWhoseDiskIsFullForAWhile) {
  take_all_places({"c", Fault::kFullDisk}, true);
}
TEST(Chaos, ACoordinatorWhoseDiskBecomesReadOnly) {
  take_all_places({"c", Fault::kReadOnly}, true);
}
TEST(Chaos, ANodeKilledAnywhereInATrustedCampaign) { take_all_places({"n0", Fault::kKill}, false); }
TEST(Chaos, ANodeKilledAnywhereInAMaskedCampaign) { take_all_places({"n0", Fault::kKill}, true); }
TEST(Chaos, ANodeWhosePowerIsLostAnywhere) { take_all_places({"n0", Fault::kPowerLoss}, true); }
TEST(Chaos, ANodeWhoseDiskFailsToSync) { take_all_places({"n0", Fault::kFailedSync}, true); }
TEST(Chaos, ANodeWhoseDiskIsFullForAWhile) { take_all_places({"n0", Fault::kFullDisk}, true); }
TEST(Chaos, ANodeWhoseDiskBecomesReadOnly) { take_all_places({"n0", Fault::kReadOnly}, true); }

// What `make test` has time for: a place of every kind.
TEST(Chaos, EverythingAtOnePlace) {
  if (takes_all()) GTEST_SKIP() << "all places were taken";
  TempFolder folder;
  const Pristine pristine = make_pristine(folder.path(), true);
  std::vector<std::pair<std::string, Attempt>> attempts;
  for (const Fault fault :
       {Fault::kKill, Fault::kPowerLoss, Fault::kFailedSync, Fault::kFullDisk, Fault::kReadOnly})
    for (const char* victim : {"c", "n0"}) {
      const int at = (victim[0] == 'c' ? 11 : 3) + static_cast<int>(fault) * 5;
      attempts.emplace_back(name_of({victim, fault}, true),
                            Attempt(pristine.world, {victim, fault}, at, pristine.undisturbed));
    }
  int hits = 0;
  for (auto& [name, attempt] : attempts) hits += attempt.finish(name) ? 1 : 0;
  EXPECT_GE(hits, 5);
}

}  // namespace
}  // namespace freshet::chaos
