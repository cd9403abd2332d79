// freshet-sim: the protocol simulator (`freshet simulate protocol`).

#include <fmt/core.h>

#include <chrono>

#include "base/exit_code.h"
#include "base/flags.h"
#include "base/json.h"
#include "base/limits.h"
#include "simulations/simulation.h"

namespace freshet {
namespace {

struct Options {
  std::uint64_t seed = 1;
  std::uint64_t seeds = 1;
  sim::Size size;
  std::string graph;           // sparse or complete: one calm round of all nodes
  std::uint32_t nodes_to = 0;  // 0: every seed has size.nodes
  int threads = 1;
  bool json = false, wire = false;
};

struct Totals {
  std::uint64_t seeds = 0, finished = 0, failed = 0, attempts = 0, versions = 0, crashes = 0,
                events = 0, messages = 0;
  std::uint64_t trace = 0;
  double seconds = 0;

  void add(const sim::Outcome& outcome) {
    ++seeds;
    ++(outcome.finished ? finished : failed);
    attempts += outcome.attempts;
    versions += outcome.versions;
    crashes += outcome.crashes;
    events += outcome.events;
    messages += outcome.messages;
    trace = trace * 0x9E3779B97F4A7C15u + outcome.trace;
  }
};

Json to_json(const Totals& totals, const Options& options) {
  return Json{{"seed", options.seed},
              {"seeds", totals.seeds},
              {"nodes", options.size.nodes},
              {"rounds", options.size.rounds},
              {"wire", options.wire},
              {"masked", options.size.masked},
              {"entries", options.size.entries},
              {"campaigns_finished", totals.finished},
              {"campaigns_failed", totals.failed},
              {"rounds_attempted", totals.attempts},
              {"versions_published", totals.versions},
              {"coordinator_crashes", totals.crashes},
              {"events", totals.events},
              {"messages", totals.messages},
              {"trace", fmt::format("{:016x}", totals.trace)},
              {"seconds", totals.seconds},
              {"violation", nullptr}};
}

// Every number of nodes from the first to the last, one after the other.
sim::Size size_of(const Options& options, std::uint64_t seed) {
  sim::Size size = options.size;
  if (options.nodes_to > size.nodes)
    size.nodes +=
        static_cast<std::uint32_t>((options.seed + seed) % (options.nodes_to - size.nodes + 1));
  return size;
}

int report_violation(const sim::Outcome& outcome, const Options& options, std::size_t nodes) {
  if (options.json) {
    fmt::print("{}\n", to_text(Json{{"seed", outcome.seed},
                                    {"violation", *outcome.violation},
                                    {"event", outcome.events},
                                    {"at_ms", outcome.simulated_ms},
                                    {"trace", fmt::format("{:016x}", outcome.trace)}}));
  }
  fmt::print(stderr,
             "freshet-sim: seed {} violates an invariant at event {} ({} ms, trace {:016x}): {}\n"
             "see it again with: freshet simulate protocol --seed {} --nodes {} --rounds {}{}\n",
             outcome.seed, outcome.events, outcome.simulated_ms, outcome.trace, *outcome.violation,
             outcome.seed, nodes, options.size.rounds,
             std::string(options.wire ? " --wire" : "") + (options.size.masked ? " --masked" : ""));
  return static_cast<int>(ExitCode::kBug);
}

void print(const Totals& totals, const Options& options) {
  if (options.json) return fmt::print("{}\n", to_text(to_json(totals, options)));
  fmt::print("{} seeds of {} nodes, no violation: {} campaigns finished, {} failed with a reason\n",
             totals.seeds, options.size.nodes, totals.finished, totals.failed);
  fmt::print(
      "{} rounds attempted, {} versions published, {} coordinator crashes, {} events, {} messages "
      "in {:.1f} s\n",
      totals.attempts, totals.versions, totals.crashes, totals.events, totals.messages,
      totals.seconds);
  fmt::print("trace {:016x}\n", totals.trace);
}

int run(const Options& options) {
  const auto begin = std::chrono::steady_clock::now();
  Totals totals;
  for (std::uint64_t i = 0; i < options.seeds; ++i) {
    const sim::World world = sim::world_of(options.seed + i, size_of(options, i), options.wire);
    const sim::Outcome outcome = sim::simulate(world, {}, options.threads);
    if (outcome.violation) return report_violation(outcome, options, world.nodes.size());
    totals.add(outcome);
    if (options.seeds == 1 && !options.json && !outcome.why.empty())
      fmt::print("failed: {}\n", outcome.why);
  }
  totals.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  print(totals, options);
  return 0;
}

int main_of(int argc, char** argv) {
  Options options;
  Command app{
      "Runs the campaign and session machines over a simulated network and clock, with nodes that "
      "are slow, vanish or "
      "lie and a coordinator that crashes, and checks the invariants after every event.",
      "freshet simulate protocol"};
  app.add_option("--seed", options.seed,
                 "The first seed; a seed alone fixes everything that happens")
      ->show_default();
  app.add_option("--seeds", options.seeds, "How many seeds, from the first on")
      ->range(std::uint64_t{1}, std::uint64_t{10'000'000})
      ->show_default();
  app.add_option("--rounds", options.size.rounds, "Versions that each campaign publishes")
      ->range(1u, 10'000u)
      ->show_default();
  app.add_option("--nodes", options.size.nodes, "Nodes of each fleet")
      ->range(1u, static_cast<unsigned>(limits::kCohortMax))
      ->show_default();
  app.add_option("--nodes-to", options.nodes_to,
                 "Give each seed another number of nodes, from --nodes to this");
  app.add_flag("--masked", options.size.masked,
               "Masked rounds, with the real keys, shares and signatures of every node");
  app.add_option("--entries", options.size.entries, "Entries of each update")
      ->range(std::size_t{1}, std::size_t{1'000'000})
      ->show_default();
  app.add_option("--graph", options.graph,
                 "One calm round of all nodes on a sparse or the complete graph: to measure it")
      ->one_of({"sparse", "complete"});
  app.add_option("--threads", options.threads,
                 "Nodes that work at a time; what comes out does not depend on it")
      ->range(1, 256)
      ->show_default();
  app.add_flag("--wire", options.wire,
               "Send every message through the real codec and seal every update (slower)");
  app.add_flag("--json", options.json, "Print one JSON object");
  if (const auto over = app.parse(argc, argv)) return *over;
  if (options.graph == "sparse") options.size.calm = sim::Calm::kSparse;
  if (options.graph == "complete") options.size.calm = sim::Calm::kComplete;
  return run(options);
}

}  // namespace
}  // namespace freshet

int main(int argc, char** argv) { return freshet::main_of(argc, argv); }
