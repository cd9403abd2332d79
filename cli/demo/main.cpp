#include <fmt/core.h>

#include <cstdio>

#include "base/exit_code.h"
#include "base/flags.h"
#include "base/json.h"
#include "base/limits.h"
#include "cli/demo/run.h"
#include "cli/demo/sources.h"

namespace freshet::demo {
namespace {

struct Flags {
  std::string dir = "demo", data, method = "rolora", rule = "sgd", mode = "masked";
  std::size_t nodes = kNodesDefault;
  std::uint32_t rounds = 0;
  std::uint64_t seed = 1;
  bool quick = false, json = false, keep = false;
};

Result<DemoOptions> options_of(const Flags& flags, int argc, char** argv) {
  DemoOptions options;
  options.dir = flags.dir;
  if (!flags.data.empty()) options.data = flags.data;
  options.nodes = flags.nodes;
  TRY_ASSIGN(options.method, method_named(flags.method));
  TRY_ASSIGN(options.rule, server_rule_named(flags.rule));
  TRY_ASSIGN(options.mode, mode_named(flags.mode));
  options.seed = flags.seed;
  options.settings = flags.quick ? kQuick : kFull;
  if (flags.rounds > 0) options.settings.rounds = flags.rounds;
  options.keep = flags.keep;
  options.command = "freshet demo";
  for (int i = 1; i < argc; ++i) options.command += std::string(" ") + argv[i];
  return options;
}

int run(const Flags& flags, int argc, char** argv) {
  auto stop = StopSignal::watch();
  if (!stop) return report(stop.error());
  auto options = options_of(flags, argc, argv);
  if (!options) return report(options.error());
  auto made = run_demo(*options, *stop, flags.json ? stderr : stdout);
  if (!made) {
    int code = report(made.error());
    return stop->came() ? static_cast<int>(ExitCode::kInterrupted) : code;
  }
  fmt::print(flags.json ? stderr : stdout, "\n{}", to_terminal(*made));
  if (flags.json) fmt::print("{}\n", to_text(to_json(*made)));
  return std::fflush(stdout) == 0 ? 0 : static_cast<int>(ExitCode::kNoSpace);
}

void add_flags(Command& app, Flags& flags) {
  app.add_flag("--quick", flags.quick, "The whole arc in a minute: less text, fewer rounds");
  app.add_flag("--json", flags.json,
               "Print one JSON object at the end; everything else goes to standard error");
  app.add_option("--data", flags.data,
                 "Your own text instead: a folder with one subfolder of .txt or .md files a node")
      ->type_name("DIR");
  app.add_option("--mode", flags.mode,
                 "masked: the coordinator sees the sum alone; trusted-coordinator: it opens every "
                 "update")
      ->one_of({"masked", "trusted-coordinator"})
      ->show_default();
  app.add_option("--method", flags.method, "How LoRA factors are federated")
      ->one_of({"fedit", "ffa", "rolora", "fedsvd", "fed-sb"})
      ->show_default();
  app.add_option("--rule", flags.rule, "Server rule; sgd is FedAvg")
      ->one_of({"sgd", "momentum", "adam", "yogi"})
      ->show_default();
  app.add_option("--nodes", flags.nodes, "Edge nodes; with --data there are as many as subfolders")
      ->range(std::size_t{2}, private_sources().size())
      ->show_default();
  app.add_option("--rounds", flags.rounds, "Rounds instead of the demo's own number")
      ->range(1u, limits::kRoundsMax);
  app.add_option("--dir", flags.dir, "Where everything goes; made afresh on every run")
      ->type_name("DIR")
      ->show_default();
  app.add_option("--seed", flags.seed, "Of the initial factors and of the order of training text")
      ->show_default();
  app.add_flag("--keep", flags.keep, "Keep the recordings of the wire (DIR/recordings)");
}

int main_of(int argc, char** argv) {
  Flags flags;
  Command app(
      "Starts an authority, a coordinator and eight nodes with private text on this machine, runs "
      "a campaign\n"
      "under masks, lets the cloud model learn from it, and writes a report.",
      "freshet demo");
  app.footer(
      "Examples:\n  freshet demo\n  freshet demo --quick --json\n  freshet demo --data my-texts "
      "--rounds 6 --dir out\n\n"
      "Ctrl-C stops everything that was started. Exit codes: docs/exit-codes.md");
  add_flags(app, flags);
  if (const auto over = app.parse(argc, argv)) return *over;
  return run(flags, argc, argv);
}

}  // namespace
}  // namespace freshet::demo

int main(int argc, char** argv) {
  try {
    return freshet::demo::main_of(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "freshet: a bug of ours: %s\n", error.what());
    return static_cast<int>(freshet::ExitCode::kBug);
  }
}
