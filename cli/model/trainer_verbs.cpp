
#include "base/exit_code.h"
#include "base/flags.h"
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
  Command app("Freshet's trainer: everything that computes with a model", "freshet-trainer");
  app.require_subcommand();
  Verb chosen;
  int threads = 0;
  Command* serving = app.add_subcommand(
      "serve", "Serve a daemon on descriptor 3 (started by the daemons themselves)");
  serving->add_option("--threads", threads, "0: as OMP_NUM_THREADS says")->range(0, 256);
  serving->callback([&] { chosen = [&] { return serve_daemon(threads); }; });
  Command* model = app.add_subcommand("model", "Look at, measure, use and make models");
  model->require_subcommand();
  add_info(*model, chosen);
  add_eval(*model, chosen);
  add_finetune(*model, chosen);
  add_generate(*model, chosen);
  add_merge(*model, chosen);
  add_convert(*model, chosen);
  add_question(*model, chosen);
  add_tokenizer(*model, chosen);
  add_pretrain(*model, chosen);
  add_simulate_learning(app, chosen);
  add_evaluate_adapt(app, chosen);
  if (const auto over = app.parse(argc, argv)) return *over;
  try {
    return run_chosen(chosen);
  } catch (const std::exception& error) {
    report({Code::kCorrupt, std::string("unexpected: ") + error.what()});
    return static_cast<int>(ExitCode::kBug);
  }
}

}  // namespace freshet
