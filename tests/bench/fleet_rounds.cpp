#include "tests/bench/fleet_rounds.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <sstream>

#include "base/clock.h"
#include "crypto/key_file.h"
#include "protocol/policy_file.h"
#include "tests/bench/daemon.h"
#include "tests/integration/fleet.h"

namespace freshet {
namespace {

constexpr int kRounds = 9,
              kRoundsLeftOut = 3;  // a version's evaluation comes before the first ones
constexpr int kCampaignMsMax = 200'000;
constexpr std::uint32_t kFewHonest = 2;  // so that four nodes are a cohort

// A line of the log begins with HH:MM:SS.mmm of the local day; what the trainer says is since 1970.
double ms_of_day(std::string_view line) {
  int h = 0, m = 0, s = 0, ms = 0;
  if (std::sscanf(std::string(line.substr(0, 12)).c_str(), "%d:%d:%d.%d", &h, &m, &s, &ms) != 4)
    return -1;
  return ((h * 60.0 + m) * 60 + s) * 1000 + ms;
}
double ms_of_day(long long wall_us) {
  const std::time_t seconds = wall_us / 1'000'000;
  std::tm local{};
  ::localtime_r(&seconds, &local);
  return ((local.tm_hour * 60.0 + local.tm_min) * 60 + local.tm_sec) * 1000 +
         static_cast<double>(wall_us % 1'000'000) / 1000;
}

std::vector<double> openings(const Path& log) {
  std::vector<double> all;
  std::istringstream lines(read_file(log, 1 << 26).value_or(""));
  for (std::string line; std::getline(lines, line);)
    if (line.ends_with(" opens")) all.push_back(ms_of_day(line));
  return all;
}

struct Trained {
  double began = 0, ended = 0;
};
std::vector<Trained> trainings(const Path& log) {
  std::vector<Trained> all;
  std::istringstream lines(read_file(log, 1 << 26).value_or(""));
  long long began = 0, ended = 0;
  for (std::string line; std::getline(lines, line);)
    if (std::sscanf(line.c_str(), "trained %lld %lld", &began, &ended) == 2)
      all.push_back({ms_of_day(began), ms_of_day(ended)});
  return all;
}

double median_of(std::vector<double> values) {
  std::ranges::sort(values);
  return values.empty() ? 0 : values[values.size() / 2];
}

// Round r (from 1) begins from version r - 1, which is training r - 1 of each node (from 0).
Result<RoundCost> read_costs(const Path& folder, int nodes) {
  const std::vector<double> opened = openings(folder / "c.log");
  std::vector<double> from_opening, from_training;
  for (std::size_t round = kRoundsLeftOut; round + 1 < kRounds; ++round) {
    double trained = 0, begun = 0;
    for (int i = 0; i < nodes; ++i) {
      const std::vector<Trained> mine = trainings(folder / fmt::format("n{}.log", i));
      if (mine.size() < kRounds || opened.size() < kRounds)
        return fail(Code::kUnavailable,
                    fmt::format("node {} trained {} times in {} rounds; see {}", i, mine.size(),
                                opened.size(), folder.string()));
      trained = std::max(trained, mine[round].ended);
      begun = std::max(begun, mine[round + 1].began);
    }
    from_opening.push_back(begun - opened[round]);
    from_training.push_back(begun - trained);
  }
  return RoundCost{median_of(from_opening), median_of(from_training), 0, 0};
}

Result<void> write_policies(const World& world, const FleetSize& size) {
  NodePolicy policy;
  policy.honest_min = kFewHonest;
  if (!size.masked) policy.modes.push_back(Mode::kTrustedCoordinator);
  for (int i = 0; i < size.nodes; ++i)
    TRY(write_file_durably(world.node(i) / "policy.toml", as_bytes(to_toml(policy)), 0600));
  return {};
}

}  // namespace

Result<RoundCost> measure_rounds(const Path& folder, const Path& programs, const FleetSize& size) {
  std::filesystem::remove_all(folder);
  FleetPlan plan{.method = "fedit", .rule = "sgd", .nodes = size.nodes, .rounds = kRounds};
  plan.masked = size.masked;
  plan.phase_ms = 30'000;
  plan.width = size.width, plan.layers = size.layers;
  plan.targets = {"q_proj", "v_proj"};
  plan.honest_min = kFewHonest;
  const World world = World::make(folder, plan);
  TRY(write_policies(world, size));
  Daemon coordinator(
      programs / "freshet-coordinator",
      {"run", "--dir", world.coordinator().string(), "--listen", "tcp://127.0.0.1:0"},
      folder / "c.log");
  const Path endpoint = world.coordinator() / "endpoint";
  std::error_code error;
  while (!std::filesystem::exists(endpoint, error)) ::usleep(10'000);
  TRY_ASSIGN(std::string address, read_file(endpoint, 200));
  address.erase(address.find('\n'));
  TRY_ASSIGN(const KeyRing keys, load_or_make_keys(world.coordinator()));
  std::vector<Daemon> nodes;
  for (int i = 0; i < size.nodes; ++i)
    nodes.emplace_back(programs / "freshet-node",
                       std::vector<std::string>{
                           "run", "--dir", world.node(i).string(), "--data", world.text(i).string(),
                           "--model", world.model().string(), "--coordinator", address,
                           "--coordinator-id", to_text(keys.identity.open), "--exit-when-finished"},
                       folder / fmt::format("n{}.log", i));
  const std::int64_t until = SystemClock().now().ms + kCampaignMsMax;
  const auto all_over = [&] {
    bool over = true;
    coordinator.look();
    for (Daemon& node : nodes) over = !node.look() && over;
    return over;
  };
  while (!all_over()) {
    if (SystemClock().now().ms > until)
      return fail(Code::kExpired, "the campaign took too long; see " + folder.string());
    ::usleep(5'000);
  }
  TRY_ASSIGN(RoundCost cost, read_costs(folder, size.nodes));
  cost.coordinator_mb = coordinator.peak_mb();
  for (const Daemon& node : nodes) cost.node_mb = std::max(cost.node_mb, node.peak_mb());
  return cost;
}

}  // namespace freshet
