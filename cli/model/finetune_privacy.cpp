#include "cli/model/finetune_privacy.h"

#include <algorithm>
#include <cmath>

#include "aggregation/privacy/calibration.h"
#include "base/limits.h"
#include "crypto/key_file.h"
#include "membership/ledger_file.h"
#include "trainer/training/examples.h"
#include "trainer/training/private_gradient.h"

namespace freshet {
namespace {

double expected_examples(const TrainPlan& plan) {
  return static_cast<double>(plan.base.batch) * plan.accumulate;
}

// What the ledger is opened with: what was said, or for its first training what that may cost.
std::optional<Budget> budget_of(const FinetuneFlags& flags, bool is_new) {
  if (flags.dp_budget > 0) return Budget{flags.dp_budget, flags.dp_delta};
  if (is_new && flags.dp_epsilon > 0) return Budget{flags.dp_epsilon, flags.dp_delta};
  return std::nullopt;
}

}  // namespace

Result<void> take_privacy(const FinetuneFlags& flags, FinetuneTask& task) {
  TrainPlan& plan = task.plan;
  const std::size_t examples = examples_of(task.corpus.train, plan.base.window).size();
  const double expected = expected_examples(plan), count = static_cast<double>(examples);
  if (expected > count)
    return fail(Code::kBadInput,
                "--batch asks for " + std::to_string(static_cast<std::size_t>(expected)) +
                    " examples a step, but the text has " + std::to_string(examples) +
                    ": give more text, a shorter --window or a smaller --batch");
  const double epoch = std::ceil(count / expected);
  if (flags.steps == 0)
    plan.base.steps = static_cast<int>(
        std::clamp(std::round(flags.epochs * epoch), 1.0, double{limits::kChargedStepsMax}));
  task.tokens_a_step =
      static_cast<double>(task.corpus.train.size() - task.corpus.train.starts.size()) / count *
      expected;
  plan.dp.clip = flags.dp_clip;
  plan.dp.multiplier = flags.dp_noise > 0
                           ? flags.dp_noise
                           : least_multiplier({flags.dp_epsilon, flags.dp_delta}, expected / count,
                                              static_cast<std::uint32_t>(plan.base.steps));
  if (plan.dp.multiplier <= PrivateGradient::kMultiplierMax) return {};
  return fail(Code::kBadInput, "so small an epsilon asks for noise of " +
                                   std::to_string(plan.dp.multiplier) +
                                   " times the clip, above 64 nothing is learned: allow more, or "
                                   "train fewer steps");
}

Result<PrivateTraining> charge_training(const FinetuneFlags& flags, const FinetuneTask& task,
                                        const TrainingTerms& terms) {
  const TrainPlan& plan = task.plan;
  const Path folder = flags.dp_folder, file = folder / "examples.ledger";
  TRY(make_folders(folder, 0700));
  TRY_ASSIGN(KeyRing keys, load_or_make_keys(folder));
  PrivateTraining made{std::move(keys.storage), {}, 0, 0, 0, {}};
  made.training = digest_of("freshet/example-training/v1", encode_checkpoint(terms, {}));
  made.examples = examples_of(task.corpus.train, plan.base.window).size();
  made.rate = expected_examples(plan) / static_cast<double>(made.examples);

  std::error_code ignored;
  TRY_ASSIGN(LedgerFile ledger,
             LedgerFile::open(file, Ledger::Owner::kExamples,
                              budget_of(flags, !std::filesystem::exists(file, ignored))));
  Charge charge;
  charge.sid = made.training;
  charge.multiplier = plan.dp.multiplier;
  charge.sampling_rate = made.rate;
  charge.sensitivity = static_cast<double>(plan.dp.clip);
  charge.entries = task.layout.size;
  charge.times = static_cast<std::uint64_t>(plan.base.steps);
  TRY_ASSIGN(made.spent, ledger.charge(charge));
  const Release alone[] = {{charge.multiplier, charge.sampling_rate, charge.times}};
  made.epsilon = renyi_epsilon(alone, made.spent.delta);
  return made;
}

}  // namespace freshet
