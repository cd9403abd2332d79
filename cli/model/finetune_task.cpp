#include "cli/model/finetune_task.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>

#include "cli/model/data_flag.h"
#include "cli/model/finetune_privacy.h"
#include "crypto/digest.h"
#include "model/files/model_parts.h"
#include "model/files/peft_adapter.h"
#include "model/modules.h"
#include "trainer/kernels/product.h"
#include "trainer/training/batches.h"

namespace freshet {
namespace {

constexpr std::uint64_t kLaterBytes = 4'000'000;  // code and stacks that nobody has touched yet
constexpr int kWindow = 256, kWarmupMax = 100, kStepsMax = 10'000'000;

Result<void> take_adapter(const BaseModel& base, const FinetuneFlags& flags, FinetuneTask& task) {
  task.base_model = flags.model;
  if (!flags.init.empty()) {
    TRY_ASSIGN(const PeftFiles files, open_peft_folder(flags.init));
    TRY_ASSIGN(PeftAdapter adapter, read_peft_adapter(files, base.config));
    task.plan.base.adapter = std::move(adapter.spec);
    if (!adapter.base_model.empty()) task.base_model = std::move(adapter.base_model);
    task.initial = std::move(adapter.values);
  }
  TRY_ASSIGN(task.layout, adapter_layout(base.config, task.plan.base.adapter));
  if (flags.init.empty()) task.initial = initial_adapter(task.layout, flags.seed);
  return {};
}

// Steps, warm-up and the tokens of a step, which depend on how much text there is.
Result<void> take_lengths(const FinetuneFlags& flags, FinetuneTask& task) {
  TrainPlan& plan = task.plan;
  const TokenStream& text = task.corpus.train;
  TRY_ASSIGN(const Batches batches, Batches::make(text, plan));
  const double whole = static_cast<double>(plan.base.batch) * plan.accumulate * plan.base.window,
               inputs = static_cast<double>(text.size() - text.starts.size());
  const double epoch =
      plan.order == Order::kWindows ? std::ceil(inputs / whole) : batches.steps_per_epoch();
  if (!flags.is_private()) task.tokens_a_step = std::min(whole, inputs / epoch);
  if (flags.steps == 0 && !flags.is_private()) {
    const double steps = std::max(1.0, std::round(flags.epochs * epoch));
    if (steps > kStepsMax)
      return fail(Code::kBadInput, "so many epochs of this text are more than " +
                                       std::to_string(kStepsMax) + " steps; give --steps");
    plan.base.steps = static_cast<int>(steps);
  }
  plan.warmup = flags.warmup.value_or(std::min(plan.base.steps / 20, kWarmupMax));
  return {};
}

// Whether the matrices of the layers may stay where the file is mapped.
bool lies_in(const BaseModel& base, Precision precision) {
  if (precision != Precision::kF32 && precision != Precision::kBf16) return false;
  const WeightType type = precision == Precision::kF32 ? WeightType::kF32 : WeightType::kBF16;
  return std::all_of(
      base.weights->all().begin(), base.weights->all().end(), [&](const WeightView& view) {
        return view.shape.size() < 2 ||
               (view.type == type && !view.transposed && view.interleaved_heads == 0 &&
                reinterpret_cast<std::uintptr_t>(view.bytes.data()) % 4 == 0);
      });
}

// Bytes for each entry of a matrix while it is loaded, beside what it becomes: the file's, and one
// f32 where all of it is read at once.
double entry_bytes(const BaseModel& base) {
  double most = 0;
  for (const WeightView& view : base.weights->all()) {
    if (view.shape.size() < 2 || view.elements() == 0) continue;
    const double own =
        static_cast<double>(view.bytes.size()) / static_cast<double>(view.elements());
    most = std::max(most, own + (view.transposed ? 4 : 0));
  }
  return most;
}

Precision wanted_precision(const BaseModel& base, const std::string& flag) {
  if (const std::optional<Precision> named = precision_named(flag)) return *named;
  return kernels::multiplies_bf16() || lies_in(base, Precision::kBf16) ? Precision::kBf16
                                                                       : Precision::kF32;
}

int number_of(std::string_view text) {
  int value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// As the training was begun; where a flag says otherwise, check_same_training() will say so.
Means means_of(const FinetuneFlags& flags, const BaseModel& base, const TrainingTerms& saved,
               TrainPlan& plan) {
  Means means;
  means.precision =
      wanted_precision(base, flags.precision == "auto" ? std::string(term_of(saved, "--precision"))
                                                       : flags.precision);
  if (flags.micro_batch == 0)
    plan.micro_batch = std::clamp(number_of(term_of(saved, "--micro-batch")), 0, plan.base.batch);
  plan.recompute = flags.recompute || (!flags.mezo() && term_of(saved, "--recompute") == "1");
  plan.head_rows = std::clamp(number_of(term_of(saved, "rows of the head")), 1, 4096);
  return means;
}

// What the process holds and will hold beside the training itself. A state is written from a copy
// of it; one that was read is there already, and the room of its bytes as well.
std::uint64_t process_bytes(const FinetuneFlags& flags, const FinetuneTask& task, bool saved) {
  const bool moments = !flags.mezo() && task.plan.optimizer == Optimizer::kAdamW;
  const std::uint64_t state = (moments ? 12 : 4) * task.layout.size, now = resident_bytes();
  return kLaterBytes + (saved ? now - std::min(now, state) : now + state);
}

Result<void> check_goes_on_under(const FinetuneFlags& flags, std::uint64_t needed) {
  if (flags.memory_bytes == 0 || needed <= flags.memory_bytes) return {};
  return fail(Code::kBadInput, "the saved training needs " +
                                   std::to_string((needed + 999'999) / 1'000'000) +
                                   "M as it was begun, more than --memory-max allows: allow that, "
                                   "or start anew (--force)");
}

std::string text_of(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.9g", value);
  return text;
}

std::string digest_text(const TokenStream& text) {
  Hasher hasher;
  hasher.update(as_bytes(std::span(text.ids)));
  hasher.update(as_bytes(std::span(text.counts)));
  hasher.update(as_bytes(std::span(text.starts)));
  const std::array<std::uint64_t, 3> lengths = {text.ids.size(), text.counts.size(),
                                                text.starts.size()};
  hasher.update(as_bytes(std::span<const std::uint64_t>(lengths)));
  return to_hex(hasher.finish());
}

std::string digest_of_adapter(const Layout& layout, const std::vector<float>& values) {
  Hasher hasher;
  hasher.update(canonical_bytes(layout));
  for (const LayoutEntry& entry : layout.entries)
    hasher.update(as_bytes(std::span(&entry.scale, 1)));
  hasher.update(as_bytes(std::span(values)));
  return to_hex(hasher.finish());
}

}  // namespace

Result<BaseModel> open_base(const std::string& folder) {
  TRY_ASSIGN(ModelFiles files, open_model_folder(folder));
  TRY_ASSIGN(ModelConfig config, read_config(files));
  TRY_ASSIGN(Tokenizer tokenizer, read_tokenizer(files));
  TRY(check_tokenizer_matches(config, tokenizer));
  TRY_ASSIGN(Weights weights, Weights::open(files));
  TRY(check_weights(config, weights, files.weights.front().name));
  TRY_ASSIGN(const auto template_text, read_chat_template(files));
  Result<ChatTemplate> chat = chat_of_model(template_text, tokenizer, files.weights.front().name);
  return BaseModel{std::move(files), std::move(config), std::move(tokenizer),
                   std::make_shared<const Weights>(std::move(weights)), std::move(chat)};
}

Result<FinetuneTask> make_task(const BaseModel& base, const FinetuneFlags& flags) {
  FinetuneTask task;
  task.plan = plan_of(flags);
  TRY(take_adapter(base, flags, task));
  int& window = task.plan.base.window;
  if (window == 0) window = std::min(kWindow, base.config.max_positions);
  if (window > base.config.max_positions)
    return fail(Code::kBadInput, "--window " + std::to_string(window) +
                                     " is longer than the model's " +
                                     std::to_string(base.config.max_positions) + " positions");
  TRY_ASSIGN(const std::vector<Document> documents, read_data(flags.data, base.chat));
  // Packed rows may be shorter than a window.
  TRY_ASSIGN(task.corpus, make_corpus(base.tokenizer, documents, flags.heldout,
                                      task.plan.order == Order::kWindows ? window : 1));
  if (flags.heldout > 0 && targets_of(task.corpus.heldout) == 0)
    return fail(
        Code::kBadInput,
        flags.data + ": too little text to hold any of it back; leave --heldout out or bring more");
  if (flags.is_private()) TRY(take_privacy(flags, task));
  TRY(take_lengths(flags, task));
  return task;
}

Result<Means> choose_means(const BaseModel& base, const FinetuneFlags& flags,
                           const TrainingTerms* saved, int threads, FinetuneTask& task) {
  Means begun;
  if (saved != nullptr) begun = means_of(flags, base, *saved, task.plan);
  const Precision wanted =
      saved != nullptr ? begun.precision : wanted_precision(base, flags.precision);
  if (flags.device != "cpu") return Means{wanted, 0, {}};
  const MemoryAsk ask{base.config,
                      wanted,
                      flags.precision != "auto",
                      task.plan,
                      task.layout,
                      threads,
                      flags.memory_bytes,
                      process_bytes(flags, task, saved != nullptr),
                      lies_in(base, wanted),
                      entry_bytes(base)};
  if (saved != nullptr) {
    begun.predicted_bytes = predicted_bytes(ask, wanted, task.plan);
    TRY(check_goes_on_under(flags, begun.predicted_bytes));
    return begun;
  }
  TRY_ASSIGN(MemoryChoice choice, choose_memory(ask));
  task.plan = choice.plan;
  return Means{choice.precision, choice.predicted_bytes, std::move(choice.why)};
}

Result<TrainingTerms> terms_of(const BaseModel& base, const FinetuneFlags& flags,
                               const FinetuneTask& task, Precision precision, int threads) {
  TRY_ASSIGN(const Digest model, model_digest(base.files));
  const TrainPlan& plan = task.plan;
  const bool bf16_products = precision != Precision::kF32 && kernels::multiplies_bf16();
  TrainingTerms terms{{"model", to_hex(model)},
                      {"text", digest_text(task.corpus.train)},
                      {"adapter to begin with", digest_of_adapter(task.layout, task.initial)},
                      {"--steps", std::to_string(plan.base.steps)},
                      {"--batch", std::to_string(plan.base.batch)},
                      {"--window", std::to_string(plan.base.window)},
                      {"--accumulate", std::to_string(plan.accumulate)},
                      {"--lr", text_of(plan.base.lr)},
                      {"--schedule", flags.schedule},
                      {"--warmup", std::to_string(plan.warmup)},
                      {"--clip", text_of(plan.clip)},
                      {"--weight-decay", text_of(plan.weight_decay)},
                      {"--optimizer", flags.optimizer},
                      {"--order", flags.order},
                      {"--method", flags.method},
                      {"--mezo-step", text_of(plan.mezo_step)},
                      {"--mezo-seeds", std::to_string(plan.mezo_seeds)},
                      {"--seed", std::to_string(plan.base.seed)},
                      {"--precision", std::string(name_of(precision))},
                      {"multiplication", bf16_products ? "bf16" : "f32"},
                      {"--micro-batch", std::to_string(plan.micro_batch)},
                      {"--recompute", plan.recompute ? "1" : "0"},
                      {"rows of the head", std::to_string(plan.head_rows)},
                      {"--threads", std::to_string(threads)},
                      {"--device", flags.device}};
  if (plan.dp.on()) {
    terms.emplace_back("--dp-noise", text_of(plan.dp.multiplier));
    terms.emplace_back("--dp-clip", text_of(double{plan.dp.clip}));
  }
  return terms;
}

}  // namespace freshet
