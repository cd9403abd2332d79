// What a fleet costs its coordinator and its nodes, between the real daemons over CURVE, with
// digests, signatures and durable records: bench_fleet [--runs N] [--rows WORD] [--folder DIR]
// [--programs DIR] [--json FILE]. Peers are published or measured figures.

#include <fmt/core.h>

#include <algorithm>
#include <cstdlib>

#include "base/json.h"
#include "tests/bench/fleet_idle.h"
#include "tests/bench/fleet_rounds.h"

namespace freshet {
namespace {

struct Flags {
  int runs = 1, nodes = 10'000, beats = 360;
  std::string rows;  // those whose name has this in it; empty: all
  Path folder = "build/bench/fleet", programs = binary_folder();
  std::string json;
};

struct Row {
  std::string name, unit;
  double ours;
  std::optional<double> peer, goal;
};

struct Report {
  Json rows = Json::array();
  int missed = 0;
  void add(const Row& row) {
    const bool met = !row.goal || row.ours <= *row.goal;
    missed += met ? 0 : 1;
    fmt::print(
        "{:<66} {:>9.4g} {:<5} peer {:>6}  {}\n", row.name, row.ours, row.unit,
        row.peer ? fmt::format("{:.4g}", *row.peer) : "-",
        row.goal ? fmt::format("goal <= {:<6.4g} {}", *row.goal, met ? "met" : "MISSED") : "");
    std::fflush(stdout);
    rows.push_back({{"name", row.name},
                    {"unit", row.unit},
                    {"ours", row.ours},
                    {"better", "lower"},
                    {"goal", row.goal ? Json(*row.goal) : Json(nullptr)},
                    {"met", met},
                    {"peer", row.peer ? Json(*row.peer) : Json(nullptr)},
                    {"ratio", row.peer ? Json(row.ours / *row.peer) : Json(nullptr)}});
  }
};

template <class T>
T must(Result<T> result) {
  if (!result) {
    fmt::print(stderr, "{}\n", result.error().what);
    std::exit(1);
  }
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

// Flower 1.4 in the clear, on two cores: one round without training.
struct Peer {
  std::string name;
  FleetSize size;
  double ms, coordinator_mb, node_mb;  // the peer's; 0: not known
  double goal_ms, goal_coordinator, goal_node;
};
const std::vector<Peer>& peers() {
  static const std::vector<Peer> kPeers = {
      {"4 nodes x 1.77 MB", {4, 576, 24}, 33, 174, 81, 20, 40, 12},
      {"16 nodes x 1.77 MB", {16, 576, 24}, 116, 370, 0, 65, 45, 12},
      {"4 nodes x 40 MB", {4, 2000, 156}, 1270, 1243, 433, 400, 110, 60},
  };
  return kPeers;
}

std::optional<double> known(double value) {
  return value > 0 ? std::optional(value) : std::nullopt;
}

RoundCost best_of(const Flags& flags, const FleetSize& size) {
  std::vector<RoundCost> all;
  for (int run = 0; run < flags.runs; ++run)
    all.push_back(must(measure_rounds(flags.folder / "rounds", flags.programs, size)));
  std::ranges::sort(all, {}, &RoundCost::ms);
  return all[all.size() / 2];
}

void bench_rounds(Report& report, const Flags& flags, const Peer& peer) {
  double unmasked = 0;
  for (const bool masked : {false, true}) {
    const std::string name = fmt::format("{}, {}", peer.name, masked ? "masked" : "unmasked");
    if (name.find(flags.rows) == std::string::npos) continue;
    FleetSize size = peer.size;
    size.masked = masked;
    const RoundCost cost = best_of(flags, size);
    if (!masked) unmasked = cost.ms;
    const std::optional<double> goal =
        masked ? (unmasked > 0 ? std::optional(2 * unmasked) : std::nullopt) : peer.goal_ms;
    report.add({"round, " + name, "ms", cost.ms, masked ? std::nullopt : known(peer.ms), goal});
    report.add(
        {"round from the last training's end, " + name, "ms", cost.after_training_ms, {}, {}});
    report.add({"coordinator's peak memory, " + name, "MB", cost.coordinator_mb,
                known(peer.coordinator_mb),
                masked ? std::nullopt : std::optional(peer.goal_coordinator)});
    report.add({"node's peak memory, " + name, "MB", cost.node_mb, known(peer.node_mb),
                masked ? std::nullopt : std::optional(peer.goal_node)});
  }
}

void bench_idle(Report& report, const Flags& flags) {
  if (std::string("idle nodes").find(flags.rows) == std::string::npos) return;
  const IdlePlan plan{.nodes = flags.nodes, .beats_of_an_hour = flags.beats};
  const IdleCost cost = must(measure_idle(flags.folder / "idle", flags.programs, plan));
  const std::string name = fmt::format("{} idle nodes", plan.nodes);
  report.add({name + ": all let in", "s", cost.accepted_s, {}, 8});
  report.add({name + ": coordinator's memory, fresh", "MB", cost.fresh_mb, {}, {}});
  report.add({fmt::format("{}: after {} signs of life each", name, plan.beats_of_an_hour),
              "MB",
              cost.after_an_hour_mb,
              {},
              1000});
  report.add({name + ": sign of life to answer, median", "ms", cost.median_ms, {}, {}});
  report.add({name + ": sign of life to answer, p99", "ms", cost.p99_ms, {}, 50});
  report.add({name + ": share of a core, every 10 s", "%", 100 * cost.core, {}, 5});
  report.add({name + ": one sign of life at full speed", "us", cost.frame_us, {}, {}});
}

Flags read_flags(int argc, char** argv) {
  Flags flags;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view name = argv[i];
    if (name == "--runs") flags.runs = std::max(1, std::atoi(argv[i + 1]));
    if (name == "--rows") flags.rows = argv[i + 1];
    if (name == "--nodes") flags.nodes = std::max(1, std::atoi(argv[i + 1]));
    if (name == "--beats") flags.beats = std::max(1, std::atoi(argv[i + 1]));
    if (name == "--folder") flags.folder = argv[i + 1];
    if (name == "--programs") flags.programs = argv[i + 1];
    if (name == "--json") flags.json = argv[i + 1];
  }
  return flags;
}

// The daemons start the trainer that lies beside them: the bench's own.
Path gather_programs(const Flags& flags) {
  const Path folder = flags.folder / "bin";
  must(make_folders(folder));
  const auto put = [&](const Path& from, const char* as) {
    std::filesystem::copy_file(from, folder / as,
                               std::filesystem::copy_options::overwrite_existing);
  };
  put(flags.programs / "freshet-coordinator", "freshet-coordinator");
  put(flags.programs / "freshet-node", "freshet-node");
  put(binary_folder() / "bench_instant_trainer", "freshet-trainer");
  return folder;
}

}  // namespace
}  // namespace freshet

int main(int argc, char** argv) {
  using namespace freshet;
  Flags flags = read_flags(argc, argv);
  flags.programs = gather_programs(flags);
  Report report;
  for (const Peer& peer : peers()) bench_rounds(report, flags, peer);
  bench_idle(report, flags);
  std::filesystem::remove_all(flags.folder);
  if (flags.json.empty()) return 0;
  must(write_file_durably(flags.json, as_bytes(to_text(Json{{"rows", report.rows}}, 2) + "\n")));
}
