#include "trainer/finetune.h"

#include <algorithm>
#include <bit>

#include "base/fields.h"
#include "trainer/training/batches.h"
#include "trainer/training/examples.h"
#include "trainer/training/train.h"

namespace freshet {
namespace {

constexpr int kTrainedRows =
    4096;  // of one pass: what a campaign asks for is cut up, so that it fits a machine

// Draws and noise are used for this training and for none that differs in anything.
Digest name_of_training(const FinetunePlan& plan, const std::vector<float>& adapter) {
  FieldWriter name;
  name.number(static_cast<std::uint32_t>(plan.steps));
  name.number(static_cast<std::uint32_t>(plan.batch));
  name.number(static_cast<std::uint32_t>(plan.window))
      .number(std::bit_cast<std::uint32_t>(plan.lr));
  name.number(std::uint8_t{plan.train_a}).number(std::uint8_t{plan.train_b});
  name.number(std::bit_cast<std::uint64_t>(plan.examples.multiplier));
  name.number(std::bit_cast<std::uint32_t>(plan.examples.clip)).fixed(plan.examples.text);
  name.fixed(digest_of(as_bytes(std::span<const float>(adapter))));
  return digest_of("freshet/example-training/v1", name.view());
}

Result<void> take_noise(const FinetunePlan& plan, const TokenStream& text, TrainPlan& whole) {
  if (!(plan.examples.clip > 0))
    return fail(Code::kBadInput, "privacy of examples takes a clip above 0");
  if (text_digest(text) != plan.examples.text)
    return fail(Code::kUnavailable,
                "the text is another than the one whose examples were charged; it is read again");
  whole.dp = {plan.examples.multiplier, plan.examples.clip};
  return {};
}

}  // namespace

Result<Finetuned> finetune(const Transformer& model, const FinetunePlan& plan,
                           const std::vector<float>& adapter, const TokenStream& text,
                           const StepDone& step_done) {
  TRY_ASSIGN(const Layout layout, adapter_layout(model.config, plan.adapter));
  TrainState start;
  start.adapter = adapter.empty() ? initial_adapter(layout, plan.seed) : adapter;
  TrainPlan whole;
  whole.base = plan;
  whole.micro_batch =
      std::clamp(kTrainedRows / std::max(plan.window, 1), 1, std::max(plan.batch, 1));
  TrainHooks hooks;
  Secret key;
  if (plan.examples.on()) {
    TRY(take_noise(plan, text, whole));
    key = Secret(plan.examples.key.size());
    std::ranges::copy(plan.examples.key, key.writable().begin());
    hooks.dp_key = &key;
    hooks.dp_training = name_of_training(plan, start.adapter);
  }
  if (step_done) hooks.step_done = [&](int done, int total, float) { step_done(done, total); };
  TRY_ASSIGN(Trained trained, train(model, whole, layout, std::move(start), text, hooks));
  Finetuned result;
  result.adapter = std::move(trained.state.adapter);
  if (!trained.state.losses.empty()) {
    result.first_loss = trained.state.losses.front();
    result.last_loss = trained.state.losses.back();
  }
  result.seconds = trained.seconds;
  return result;
}

EvaluationRoom room_of(const TrainPlan& plan) {
  const EvaluationRoom most;
  const std::int64_t sequences =
      plan.micro_batch > 0 ? std::min(plan.micro_batch, plan.base.batch) : plan.base.batch;
  return {std::min(most.rows_max, sequences * plan.base.window),
          std::min<std::int64_t>(most.head_rows, plan.head_rows)};
}

Result<Evaluation> evaluate(const Transformer& model, const AdapterSpec& spec,
                            const std::vector<float>& adapter, std::span<const TokenId> tokens,
                            std::uint64_t bytes, int window, const StepDone& step_done,
                            std::span<const std::uint8_t> counts, const EvaluationRoom& room) {
  if (tokens.size() < 2)
    return fail(Code::kBadInput, "nothing to measure: the text has fewer than two tokens");
  if (window < 1 || window > model.config.max_positions)
    return fail(Code::kBadInput, "a window of " + std::to_string(window) +
                                     " tokens does not fit the model's " +
                                     std::to_string(model.config.max_positions) + " positions");
  TRY_ASSIGN(const Layout layout, adapter_layout(model.config, spec));
  if (!adapter.empty() && adapter.size() != layout.size)
    return fail(Code::kBadInput, "the adapter does not fit the model: it has " +
                                     std::to_string(adapter.size()) + " values, the layout " +
                                     std::to_string(layout.size));
  const Lora lora =
      adapter.empty() ? Lora() : Lora(model.config, layout, adapter.data(), nullptr, false, false);
  const std::size_t total = tokens.size() - 1,
                    wide = std::min(static_cast<std::size_t>(window), total);
  const std::size_t rows_max =
      std::clamp<std::size_t>(static_cast<std::size_t>(room.rows_max) / wide, 1, 8);
  Pass pass(model, lora,
            {.rows_max = static_cast<std::int64_t>(rows_max * wide), .head_rows = room.head_rows});
  Evaluation result;
  for (std::size_t at = 0; at < total;) {
    const std::size_t left = total - at;
    const std::size_t rows = left >= wide ? std::min(rows_max, left / wide) : 1,
                      columns = std::min(wide, left);
    TokenBatch batch;
    batch.sequences = static_cast<int>(rows);
    batch.time = static_cast<int>(columns);
    const auto begin = tokens.begin() + static_cast<std::ptrdiff_t>(at);
    batch.ids.assign(begin, begin + static_cast<std::ptrdiff_t>(rows * columns));
    batch.targets.assign(begin + 1, begin + 1 + static_cast<std::ptrdiff_t>(rows * columns));
    for (std::size_t n = 0; n < batch.targets.size() && !counts.empty(); ++n)
      if (counts[at + n + 1] == 0) batch.targets[n] = -1;
    result.tokens += static_cast<std::uint64_t>(targets_of(batch));
    result.nll += pass.run(batch, 0, nullptr);
    at += rows * columns;
    if (step_done)
      step_done(static_cast<int>(at / wide), static_cast<int>((total + wide - 1) / wide));
  }
  result.bytes = bytes;
  return result;
}

}  // namespace freshet
