#include <CLI/CLI.hpp>

#include "base/exit_code.h"
#include "base/log.h"
#include "cli/model/verbs.h"
#include "trainer/backend.h"
#include "trainer/sandbox.h"
#include "trainer/threads.h"

namespace freshet {
namespace {

int serve_daemon(int threads) {
  log::set_name("trainer");
  warm_up(threads > 0 ? threads : thread_count());
  if (const Result<Sandbox> sandbox = enter_sandbox(); !sandbox) return report(sandbox.error());
  ModelBackend backend;
  return serve(kServiceFd, backend);
}

}  // namespace

int run_trainer(int argc, char** argv) {
  CLI::App app("Freshet's trainer: everything that computes with a model", "freshet-trainer");
  app.require_subcommand(1);
  Verb chosen;
  int threads = 0;
  CLI::App* serving = app.add_subcommand(
      "serve", "Serve a daemon on descriptor 3 (started by the daemons themselves)");
  serving->add_option("--threads", threads, "0: as OMP_NUM_THREADS says")
      ->check(CLI::Range(0, 256));
  serving->callback([&] { chosen = [&] { return serve_daemon(threads); }; });
  CLI::App* model = app.add_subcommand("model", "Look at, measure, use and make models");
  model->require_subcommand(1);
  add_info(*model, chosen);
  add_eval(*model, chosen);
  add_finetune(*model, chosen);
  add_generate(*model, chosen);
  add_merge(*model, chosen);
  add_convert(*model, chosen);
  add_tokenizer(*model, chosen);
  add_pretrain(*model, chosen);
  add_simulate_learning(app, chosen);
  try {
    app.parse(argc, argv);
    return run_chosen(chosen);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : static_cast<int>(ExitCode::kUsage);
  } catch (const std::exception& error) {
    report({Code::kCorrupt, std::string("unexpected: ") + error.what()});
    return static_cast<int>(ExitCode::kBug);
  }
}

}  // namespace freshet
