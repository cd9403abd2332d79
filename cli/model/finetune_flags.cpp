#include "cli/model/finetune_flags.h"

#include <cctype>
#include <charconv>
#include <cmath>

#include "base/flags.h"
#include "base/limits.h"

namespace freshet {
namespace {

constexpr float kRate = 2e-4f, kMezoRate = 5e-5f;
constexpr int kAccumulateMax = 4096;
constexpr std::int64_t kStepTokensMax = std::int64_t{1} << 24;  // of one step, all batches together

void add_adapter_flags(Command& verb, FinetuneFlags& flags) {
  verb.add_option("--init", flags.init,
                  "Go on from this adapter (PEFT folder), with its rank and targets");
  verb.add_option("--rank", flags.adapter.rank)->show_default()->range(1, limits::kAdapterRankMax);
  verb.add_option("--alpha", flags.adapter.alpha)->show_default()->range(0.001f, 100'000.0f);
  verb.add_flag("--rslora", flags.adapter.rslora, "Scale by alpha / sqrt(rank), not alpha / rank");
  verb.add_option("--targets", flags.adapter.targets,
                  "Modules to adapt, as q_proj,v_proj; absent: every linear one")
      ->delimiter(',');
}

void add_plan_flags(Command& verb, FinetuneFlags& flags) {
  verb.add_option("--steps", flags.steps, "Steps of the optimiser")->range(1, 10'000'000);
  verb.add_option("--epochs", flags.epochs, "Or how often the text is gone through")
      ->show_default()
      ->range(0.001, 100'000.0);
  verb.add_option("--batch", flags.batch, "Sequences of a batch")
      ->show_default()
      ->range(1, limits::kTrainingBatchMax);
  verb.add_option("--window", flags.window,
                  "Tokens of a sequence; absent: 256, or what the model takes")
      ->range(2, limits::kTrainingWindowMax);
  verb.add_option("--accumulate", flags.accumulate, "Batches of a step")
      ->show_default()
      ->range(1, kAccumulateMax);
  verb.add_option("--lr", flags.lr, "Learning rate; absent: 2e-4, with mezo 5e-5")
      ->range(1e-12f, 10.0f);
  verb.add_option("--schedule", flags.schedule)->show_default()->one_of({"constant", "cosine"});
  verb.add_option("--warmup", flags.warmup,
                  "Steps in which the rate rises; absent: a twentieth, 100 at most")
      ->range(0, 10'000'000);
  verb.add_option("--clip", flags.clip, "Largest norm of the gradient; 0: as it is")
      ->show_default()
      ->range(0.0f, 1e6f);
  verb.add_option("--weight-decay", flags.weight_decay)->show_default()->range(0.0f, 10.0f);
  verb.add_option("--optimizer", flags.optimizer)->show_default()->one_of({"adamw", "sgd"});
  verb.add_option("--order", flags.order,
                  "Of the text: packed rows shuffled or as they come, or windows drawn at random")
      ->show_default()
      ->one_of({"shuffled", "sequential", "windows"});
  verb.add_option("--method", flags.method, "mezo: forward passes alone (arXiv:2305.17333)")
      ->show_default()
      ->one_of({"backprop", "mezo"});
  verb.add_option("--mezo-step", flags.mezo_step, "How far a perturbation goes")
      ->show_default()
      ->range(1e-8f, 1.0f);
  verb.add_option("--mezo-seeds", flags.mezo_seeds,
                  "Use so many directions again and again: one number each is the training")
      ->range(1, 1 << 20);
  verb.add_option("--seed", flags.seed)->show_default();
}

void add_privacy_flags(Command& verb, FinetuneFlags& flags) {
  auto* epsilon = verb.add_option("--dp-epsilon", flags.dp_epsilon,
                                  "Differential privacy of every example (a document, or a window "
                                  "of a longer one): the least noise that keeps to this")
                      ->range(0.01, 1e3);
  verb.add_option("--dp-noise", flags.dp_noise, "Or the noise itself, over --dp-clip")
      ->range(0.05, 64.0)
      ->excludes(epsilon);
  verb.add_option("--dp-clip", flags.dp_clip, "Largest norm of one example's gradient")
      ->show_default()
      ->range(1e-6f, 1e6f);
  verb.add_option("--dp-delta", flags.dp_delta)->show_default()->range(1e-12, 0.1);
  verb.add_option("--dp-folder", flags.dp_folder,
                  "Folder of the ledger and of the key to its noise; a node's own will do")
      ->type_name("DIR");
  verb.add_option("--dp-budget", flags.dp_budget,
                  "Epsilon of all trainings of that folder; absent: as it was")
      ->range(0.01, 1e4);
}

void add_machine_flags(Command& verb, FinetuneFlags& flags) {
  verb.add_option("--precision", flags.precision, "Of the frozen weights")
      ->show_default()
      ->one_of({"auto", "f32", "bf16", "int8", "nf4"});
  verb.add_option("--memory-max", flags.memory_max, "Stay under it: 1500M, 2G");
  verb.add_option("--micro-batch", flags.micro_batch,
                  "Sequences of one pass; absent: as memory allows")
      ->range(1, limits::kTrainingBatchMax);
  verb.add_flag("--recompute", flags.recompute,
                "Keep the inputs of layers alone and run them again: less memory, more time");
  verb.add_option("--threads", flags.threads, "0: as many as there are cores")
      ->show_default()
      ->range(0, 256);
  verb.add_option("--device", flags.device, "cpu, or what LibTorch has: cuda, cuda:1")
      ->show_default();
}

}  // namespace

std::optional<std::uint64_t> parse_size(const std::string& text) {
  double value = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (error != std::errc{}) return std::nullopt;
  std::string unit(end, text.data() + text.size());
  if (!unit.empty() && (unit.back() == 'B' || unit.back() == 'b')) unit.pop_back();
  const char letter =
      unit.empty() ? ' '
                   : static_cast<char>(std::toupper(static_cast<unsigned char>(unit.front())));
  const double factor = letter == 'K' ? 1e3 : letter == 'M' ? 1e6 : letter == 'G' ? 1e9 : 1;
  if (unit.size() > 1 || (factor == 1 && letter != ' ')) return std::nullopt;
  const double bytes = value * factor;
  if (!(bytes >= 1 && bytes < 1e18)) return std::nullopt;
  return static_cast<std::uint64_t>(bytes);
}

void add_flags(Command& verb, FinetuneFlags& flags) {
  verb.add_option("MODEL", flags.model, "Model folder (Hugging Face form) or .gguf file")
      ->required();
  verb.add_option("--data", flags.data, "A .txt, .md or .jsonl file, or a folder of them")
      ->required();
  verb.add_option("--out", flags.out, "Folder for the adapter, in PEFT's form")->required();
  add_adapter_flags(verb, flags);
  add_plan_flags(verb, flags);
  add_privacy_flags(verb, flags);
  add_machine_flags(verb, flags);
  verb.add_option("--heldout", flags.heldout,
                  "Keep this share of the text back and measure on it, before and after")
      ->range(0.001, 0.9);
  verb.add_option("--save-every", flags.save_every,
                  "Save the state after so many steps; absent: every minute")
      ->range(1, 10'000'000);
  verb.add_flag("--resume", flags.resume, "Go on where a training into this folder was broken off");
  verb.add_flag("--force", flags.force,
                "Replace what stands at --out, and forget a training that was broken off");
  verb.add_flag("--losses", flags.losses, "With --json: the loss of every step");
  verb.add_flag("--json", flags.json, "One JSON object as the last line");
}

namespace {

void check_privacy(const Command& verb, const FinetuneFlags& flags) {
  if (!flags.is_private()) {
    for (const char* name : {"--dp-clip", "--dp-delta", "--dp-folder", "--dp-budget"})
      if (verb.given(name)) refuse_flag(name, "goes with --dp-epsilon or --dp-noise");
    return;
  }
  if (flags.dp_folder.empty()) missing_flags("--dp-folder");
  if (flags.mezo()) refuse_flag("--method", "mezo has no gradient of an example to clip");
  if (flags.device != "cpu") refuse_flag("--device", "privacy of examples is for cpu alone");
  if (verb.given("--order")) refuse_flag("--order", "is drawn, where examples are private");
  if (verb.given("--clip")) refuse_flag("--clip", "is --dp-clip, where examples are private");
  if (flags.micro_batch > 1) refuse_flag("--micro-batch", "is 1, where examples are private");
}

}  // namespace

void check_together(const Command& verb, FinetuneFlags& flags) {
  const auto given = [&](const char* name) { return verb.given(name); };
  const auto refuse = [](const std::string& name, const std::string& why) {
    refuse_flag(name, why);
  };
  if (given("--steps") && given("--epochs"))
    refuse("--steps", "and --epochs both say how long; give one");
  for (const char* name : {"--rank", "--alpha", "--rslora", "--targets"})
    if (given("--init") && given(name)) refuse(name, "is what the adapter of --init says already");
  for (const char* name : {"--mezo-step", "--mezo-seeds"})
    if (!flags.mezo() && given(name)) refuse(name, "is for --method mezo alone");
  if (flags.mezo() && flags.recompute)
    refuse("--recompute", "saves nothing with --method mezo: it keeps no activations");
  for (const char* name : {"--optimizer", "--clip", "--weight-decay"})
    if (flags.mezo() && given(name)) refuse(name, "does nothing with --method mezo");
  check_privacy(verb, flags);
  if (flags.losses && !flags.json) refuse("--losses", "goes with --json");
  if (given("--lr") && !std::isfinite(*flags.lr)) refuse("--lr", "is no number");
  if (flags.micro_batch > flags.batch) refuse("--micro-batch", "is a part of --batch");
  if (flags.device != "cpu" && given("--memory-max"))
    refuse("--memory-max", "is for --device cpu alone");
  if (flags.device != "cpu" && flags.recompute) refuse("--recompute", "is for --device cpu alone");
  const std::int64_t window = flags.window > 0 ? flags.window : 256;
  if (std::int64_t{flags.batch} * flags.accumulate * window > kStepTokensMax)
    refuse("--accumulate",
           "makes a step of more than " + std::to_string(kStepTokensMax) + " tokens");
  if (flags.memory_max.empty()) return;
  const std::optional<std::uint64_t> bytes = parse_size(flags.memory_max);
  if (!bytes) refuse("--memory-max", "\"" + flags.memory_max + "\" is no size; say 1500M or 2G");
  flags.memory_bytes = *bytes;
}

TrainPlan plan_of(const FinetuneFlags& flags) {
  TrainPlan plan;
  plan.base.adapter = flags.adapter;
  plan.base.train_a = plan.base.train_b = true;
  plan.base.steps = flags.steps;
  plan.base.batch = flags.batch;
  plan.base.window = flags.window;
  plan.base.lr = flags.lr.value_or(flags.mezo() ? kMezoRate : kRate);
  plan.base.seed = flags.seed;
  plan.accumulate = flags.accumulate;
  plan.optimizer = flags.optimizer == "sgd" ? Optimizer::kSgd : Optimizer::kAdamW;
  plan.schedule = flags.schedule == "constant" ? Schedule::kConstant : Schedule::kCosine;
  plan.clip = flags.clip;
  plan.weight_decay = flags.weight_decay;
  plan.order = flags.order == "windows"      ? Order::kWindows
               : flags.order == "sequential" ? Order::kSequential
                                             : Order::kShuffled;
  plan.gradient = flags.mezo() ? Gradient::kMezo : Gradient::kBackward;
  plan.mezo_step = flags.mezo_step;
  plan.mezo_seeds = flags.mezo_seeds;
  plan.micro_batch = flags.micro_batch;
  if (flags.is_private()) {
    plan.clip = 0;
    plan.micro_batch = 1;
  }
  plan.recompute = flags.recompute;
  return plan;
}

}  // namespace freshet
