// freshet-privacy: `freshet privacy ledger` and `freshet privacy epsilon`.

#include <fmt/core.h>

#include "aggregation/privacy/calibration.h"
#include "aggregation/privacy/pld.h"
#include "base/exit_code.h"
#include "base/flags.h"
#include "base/json.h"
#include "base/limits.h"
#include "cli/privacy/report.h"

namespace freshet {
namespace {

struct Options {
  std::string file;
  double multiplier = 0, rate = 1, delta = 1e-5, epsilon = 0;
  std::uint32_t rounds = 1;
  bool json = false;
};

Result<int> ledger(const Options& options) {
  TRY_ASSIGN(const LedgerReport report, read_ledger(options.file));
  fmt::print("{}", options.json ? to_text(to_json(report)) + "\n" : to_text(report));
  return 0;
}

int epsilon(const Options& options) {
  const double multiplier =
      options.multiplier > 0
          ? options.multiplier
          : least_multiplier({options.epsilon, options.delta}, options.rate, options.rounds);
  const Release with[] = {{multiplier, options.rate, options.rounds}};
  const Release without[] = {{multiplier, 1, options.rounds}};
  const Json found{{"noise_multiplier", multiplier},
                   {"sampling_rate", options.rate},
                   {"rounds", options.rounds},
                   {"delta", options.delta},
                   {"epsilon", renyi_epsilon(with, options.delta)},
                   {"pld_epsilon", pld_epsilon(with, options.delta)},
                   {"epsilon_without_amplification", renyi_epsilon(without, options.delta)},
                   {"pld_epsilon_without_amplification", pld_epsilon(without, options.delta)}};
  if (options.json) {
    fmt::print("{}\n", to_text(found));
    return 0;
  }
  for (const auto& [key, value] : found.items()) fmt::print("{:<34} {}\n", key, to_text(value));
  return 0;
}

int main_of(int argc, char** argv) {
  Options options;
  Command app{"What privacy costs.", "freshet privacy"};
  app.require_subcommand();
  Command* show = app.add_subcommand(
      "ledger", "What a campaign or a node has spent of its privacy budget, charge by charge");
  show->add_option("file", options.file, "The ledger: privacy.ledger of a campaign or a node")
      ->required();
  show->add_flag("--json", options.json, "Print one JSON object");
  Command* cost =
      app.add_subcommand("epsilon", "What noise costs, or how much of it a budget asks for");
  auto* by_noise = cost->add_option("--multiplier", options.multiplier,
                                    "Noise of a sum over what one node can change in it")
                       ->range(0.05, 1e6);
  auto* by_budget = cost->add_option("--epsilon", options.epsilon,
                                     "A budget: find the least multiplier that keeps to it")
                        ->range(1e-3, 1e3);
  by_noise->excludes(by_budget);
  cost->add_option("--rate", options.rate, "Chance that a node is in a round")
      ->range(1e-9, 1.0)
      ->show_default();
  cost->add_option("--rounds", options.rounds, "Sums that are opened")
      ->range(1u, limits::kRoundsMax)
      ->show_default();
  cost->add_option("--delta", options.delta)->range(1e-12, 0.1)->show_default();
  cost->add_flag("--json", options.json, "Print one JSON object");
  cost->callback([&options] {
    if (options.multiplier == 0 && options.epsilon == 0) missing_flags("--multiplier or --epsilon");
  });
  if (const auto over = app.parse(argc, argv)) return *over;
  if (cost->given()) return epsilon(options);
  auto done = ledger(options);
  return done ? *done : report(done.error());
}

}  // namespace
}  // namespace freshet

int main(int argc, char** argv) { return freshet::main_of(argc, argv); }
