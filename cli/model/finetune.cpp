// `freshet model finetune`: an adapter for a model and a text, on this machine alone.

#include "trainer/finetune.h"

#include <chrono>
#include <cstdio>

#include "base/exit_code.h"
#include "base/flags.h"
#include "base/json.h"
#include "base/stop_signal.h"
#include "cli/model/finetune_output.h"
#include "cli/model/finetune_privacy.h"
#include "cli/model/finetune_progress.h"
#include "cli/model/finetune_task.h"
#include "cli/model/verbs.h"
#include "trainer/threads.h"
#include "trainer/torch/torch_pass.h"
#include "trainer/training/mezo.h"

namespace freshet {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::seconds kSaveEvery{60};

// Everything of one run of the verb.
struct Job {
  const FinetuneFlags& flags;
  const StopSignal& stop;
  BaseModel base;
  FinetuneTask task;
  Means means;
  int threads;
  FinetuneOutput& output;
  std::optional<PrivateTraining> privacy = {};
};

struct Outcome {
  Trained trained;
  std::vector<float> adapter;
  double first_step_seconds = 0;
  int steps = 0;  // of this run
  std::optional<double> heldout_before, heldout_after;
};

bool on_device(const FinetuneFlags& flags) { return flags.device != "cpu"; }

void say_what_was_chosen(const Job& job, const Transformer& model, int from_step) {
  const TrainPlan& plan = job.task.plan;
  std::fprintf(stderr, "%s: %.1f M parameters in %s; %.2f M are trained (rank %d, alpha %g)\n",
               job.flags.model.c_str(), static_cast<double>(model.parameters) / 1e6,
               std::string(name_of(job.means.precision)).c_str(),
               static_cast<double>(job.task.layout.size) / 1e6, plan.base.adapter.rank,
               static_cast<double>(plan.base.adapter.alpha));
  std::fprintf(stderr, "%zu tokens in %zu documents; %d steps of %d sequences of %d tokens\n",
               job.task.corpus.train.size(), job.task.corpus.train.starts.size(), plan.base.steps,
               plan.base.batch * plan.accumulate, plan.base.window);
  if (job.means.predicted_bytes > 0) {
    std::fprintf(stderr, "memory: %.0f MB at most, passes of %d sequences%s",
                 static_cast<double>(job.means.predicted_bytes) / 1e6,
                 plan.micro_batch > 0 ? plan.micro_batch : plan.base.batch,
                 plan.recompute ? ", activations made again" : "");
    std::fprintf(stderr, "%s\n",
                 job.means.why.empty() ? "" : (" (for the limit: " + job.means.why + ")").c_str());
  }
  if (job.privacy)
    std::fprintf(stderr,
                 "each of %llu examples: epsilon %.3g at delta %.3g, noise %.3g times the clip of "
                 "%g; all trainings of %s together: epsilon %.3g\n",
                 static_cast<unsigned long long>(job.privacy->examples), job.privacy->epsilon,
                 job.privacy->spent.delta, plan.dp.multiplier, static_cast<double>(plan.dp.clip),
                 job.flags.dp_folder.c_str(), job.privacy->spent.epsilon);
  if (from_step > 0) std::fprintf(stderr, "going on after step %d\n", from_step);
}

// Where a device that is LibTorch's computes, what gives losses there.
Result<std::unique_ptr<LossSource>> device_source(const Job& job, const Layout& layout,
                                                  const std::vector<float>& values,
                                                  std::vector<float>& gradient) {
  const AdapterInUse adapter{layout, values.data(), gradient.empty() ? nullptr : gradient.data(),
                             true, true};
  return make_torch_pass(job.base.config, *job.base.weights, adapter,
                         {job.flags.device, job.means.precision, job.task.plan.head_rows});
}

// Bits per byte of the text that was held back; nothing where none was. Starts of documents follow
// nothing and do not count.
Result<std::optional<double>> measure(const Job& job, const Transformer& model,
                                      const std::vector<float>& adapter) {
  const TokenStream& text = job.task.corpus.heldout;
  if (job.flags.heldout == 0) return std::optional<double>();
  std::vector<std::uint8_t> counts = text.counts;
  counts.resize(text.size(), 1);
  for (const std::size_t start : text.starts) counts[start] = 0;
  TRY_ASSIGN(const Evaluation found,
             evaluate(model, job.task.plan.base.adapter, adapter, text.ids, text.bytes,
                      job.task.plan.base.window, {}, counts, room_of(job.task.plan)));
  return std::optional<double>(found.bits_per_byte());
}

Result<void> stopped(const Job& job) {
  if (!job.stop.came()) return {};
  return fail(Code::kUnavailable, "interrupted before the first step; nothing was trained");
}

// The adapter that a training gave: of a fixed number of directions what their factors alone give.
std::vector<float> adapter_of(const FinetuneTask& task, const TrainState& state) {
  if (task.plan.gradient != Gradient::kMezo || task.plan.mezo_seeds == 0) return state.adapter;
  return replay_directions(task.layout, true, true, task.plan.base.seed, state.directions,
                           task.initial);
}

Result<void> save(Job& job, std::optional<TrainingTerms>& terms, const TrainState& state) {
  if (!terms) {
    TRY_ASSIGN(terms, terms_of(job.base, job.flags, job.task, job.means.precision, job.threads));
  }
  if (const Result<void> saved = job.output.save(*terms, state); !saved)
    return fail_in("the state after step " + std::to_string(state.step) + " could not be saved",
                   saved.error());
  if (!job.stop.came()) return {};
  return fail(Code::kUnavailable, "interrupted after step " + std::to_string(state.step) + " of " +
                                      std::to_string(job.task.plan.base.steps) +
                                      ", which is saved; the same command with --resume goes on");
}

Result<Trained> train_it(Job& job, const Transformer& model, TrainState start,
                         std::optional<TrainingTerms> terms, FinetuneProgress& progress) {
  Clock::time_point saved = Clock::now();
  TrainHooks hooks;
  hooks.step_done = [&](int done, int total, float loss) { progress.step(done, total, loss); };
  hooks.save_every = job.flags.save_every;
  hooks.save_now = [&] {
    return job.stop.came() || (job.flags.save_every == 0 && Clock::now() - saved >= kSaveEvery);
  };
  hooks.save = [&](const TrainState& state) -> Result<void> {
    TRY(save(job, terms, state));
    saved = Clock::now();
    return {};
  };
  if (job.privacy) {
    hooks.dp_key = &job.privacy->key;
    hooks.dp_training = job.privacy->training;
  }
  if (on_device(job.flags))
    hooks.source = [&](const Layout& layout, const std::vector<float>& values,
                       std::vector<float>& gradient) {
      return device_source(job, layout, values, gradient);
    };
  Result<Trained> trained =
      train(model, job.task.plan, job.task.layout, std::move(start), job.task.corpus.train, hooks);
  progress.end_line();
  return trained;
}

// The frozen model. On a device of LibTorch's it is held here only to measure with.
Result<Transformer> load(const Job& job) {
  if (!on_device(job.flags) || job.flags.heldout > 0)
    return load_transformer(job.base.config, job.base.weights, job.means.precision);
  Transformer model;
  model.config = job.base.config;
  for (const WeightView& view : job.base.weights->all())
    model.parameters += static_cast<std::uint64_t>(view.elements());
  return model;
}

Result<Outcome> run_job(Job& job, std::optional<Checkpoint> saved) {
  TRY_ASSIGN(const Transformer model, load(job));
  TrainState start;
  start.adapter = job.task.initial;
  std::optional<TrainingTerms> terms;
  if (saved) {
    TRY_ASSIGN(terms, terms_of(job.base, job.flags, job.task, job.means.precision, job.threads));
    TRY(check_same_training(saved->terms, *terms, job.output.state_path().string()));
    start = std::move(saved->state);
  }
  if (job.task.plan.dp.on()) {
    if (!terms) {
      TRY_ASSIGN(terms, terms_of(job.base, job.flags, job.task, job.means.precision, job.threads));
    }
    TRY_ASSIGN(job.privacy, charge_training(job.flags, job.task, *terms));
  }
  say_what_was_chosen(job, model, start.step);
  Outcome outcome;
  TRY_ASSIGN(outcome.heldout_before, measure(job, model, job.task.initial));
  TRY(stopped(job));
  outcome.steps = job.task.plan.base.steps - start.step;
  FinetuneProgress progress(job.task.tokens_a_step);
  TRY_ASSIGN(outcome.trained, train_it(job, model, std::move(start), std::move(terms), progress));
  outcome.first_step_seconds = progress.first_step_seconds();
  outcome.adapter = adapter_of(job.task, outcome.trained.state);
  TRY_ASSIGN(outcome.heldout_after, measure(job, model, outcome.adapter));
  return outcome;
}

double tokens_per_second(const Outcome& outcome) {
  const double seconds = outcome.trained.seconds - outcome.trained.first_step_seconds;
  if (outcome.steps < 2 || seconds <= 0) return 0;
  return static_cast<double>(outcome.trained.tokens) * (outcome.steps - 1) / outcome.steps /
         seconds;
}

void print(const Job& job, const Outcome& outcome) {
  const std::vector<float>& losses = outcome.trained.state.losses;
  const float first = losses.empty() ? 0 : losses.front(),
              last = losses.empty() ? 0 : losses.back();
  const TrainPlan& plan = job.task.plan;
  if (!job.flags.json) {
    std::printf("%s\n  %d steps, %lld tokens in %.1f s; loss %.4f -> %.4f\n", job.flags.out.c_str(),
                outcome.steps, static_cast<long long>(outcome.trained.tokens),
                outcome.trained.seconds, static_cast<double>(first), static_cast<double>(last));
    if (outcome.heldout_before)
      std::printf("  held-out text: %.4f -> %.4f bits per byte\n", *outcome.heldout_before,
                  *outcome.heldout_after);
    return;
  }
  Json out = {{"steps", plan.base.steps},
              {"tokens", outcome.trained.tokens},
              {"seconds", outcome.trained.seconds},
              {"first_step_seconds", outcome.first_step_seconds},
              {"tokens_per_second", tokens_per_second(outcome)},
              {"first_loss", first},
              {"last_loss", last}};
  if (job.flags.losses) out["losses"] = losses;
  if (outcome.heldout_before) {
    out["heldout_before"] = *outcome.heldout_before;
    out["heldout_after"] = *outcome.heldout_after;
  }
  out["peak_rss_bytes"] = peak_resident_bytes();
  if (job.means.predicted_bytes > 0) out["predicted_peak_bytes"] = job.means.predicted_bytes;
  out["precision"] = name_of(job.means.precision);
  out["micro_batch"] = plan.micro_batch > 0 ? plan.micro_batch : plan.base.batch;
  out["recompute"] = plan.recompute;
  out["head_rows"] = plan.head_rows;
  if (job.privacy)
    out["privacy"] = Json{{"epsilon", job.privacy->epsilon},
                          {"delta", job.privacy->spent.delta},
                          {"epsilon_of_all", job.privacy->spent.epsilon},
                          {"noise_multiplier", plan.dp.multiplier},
                          {"clip", plan.dp.clip},
                          {"sampling_rate", job.privacy->rate},
                          {"examples", job.privacy->examples}};
  out["adapter"] = job.flags.out;
  std::puts(to_text(out).c_str());
}

Result<void> run(const FinetuneFlags& flags, const StopSignal& stop) {
  warm_up(flags.threads > 0 ? flags.threads : thread_count());
  TRY_ASSIGN(FinetuneOutput output, FinetuneOutput::open(flags.out, flags.resume, flags.force));
  TRY_ASSIGN(std::optional<Checkpoint> saved, output.take_saved());
  TRY_ASSIGN(BaseModel base, open_base(flags.model));
  TRY_ASSIGN(FinetuneTask task, make_task(base, flags));
  const int threads = thread_count();
  TRY_ASSIGN(Means means,
             choose_means(base, flags, saved ? &saved->terms : nullptr, threads, task));
  Job job{flags, stop, std::move(base), std::move(task), std::move(means), threads, output};
  TRY(stopped(job));
  output.forget_saved();
  TRY_ASSIGN(const Outcome outcome, run_job(job, std::move(saved)));
  const TrainPlan& plan = job.task.plan;
  const bool directions = plan.gradient == Gradient::kMezo && plan.mezo_seeds > 0;
  TRY(output.finish(job.base.config, {plan.base.adapter, outcome.adapter, job.task.base_model},
                    directions ? &outcome.trained.state.directions : nullptr, plan.base.seed));
  print(job, outcome);
  return {};
}

int run_verb(const FinetuneFlags& flags) {
  const Result<StopSignal> stop = StopSignal::watch();
  if (!stop) return report(stop.error());
  const Result<void> done = run(flags, *stop);
  if (done) return static_cast<int>(ExitCode::kOk);
  const int code = report(done.error());
  return stop->came() && done.error().code == Code::kUnavailable
             ? static_cast<int>(ExitCode::kInterrupted)
             : code;
}

}  // namespace

void add_finetune(Command& model, Verb& chosen) {
  auto flags = std::make_shared<FinetuneFlags>();
  Command* verb = model.add_subcommand("finetune", "Train a LoRA adapter on a text");
  add_flags(*verb, *flags);
  verb->callback([flags, verb, &chosen] {
    check_together(*verb, *flags);
    chosen = [flags] { return run_verb(*flags); };
  });
}

}  // namespace freshet
