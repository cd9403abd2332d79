#include "trainer/llama_pretrain.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numbers>

#include "model/files/safetensors.h"
#include "trainer/batch.h"
#include "trainer/finetune.h"

namespace freshet {
namespace {

struct Parameter {
  at::Tensor tensor;
  std::vector<float> first, second;
  bool decays;  // matrices do, norms do not
};

std::vector<Parameter> parameters_of(Llama& llama) {
  std::vector<Parameter> parameters;
  for (NamedWeight& weight : named_weights(llama)) {
    weight.tensor->requires_grad_(true);
    const auto count = static_cast<std::size_t>(weight.tensor->numel());
    parameters.push_back({*weight.tensor, std::vector<float>(count), std::vector<float>(count), weight.shape.size() > 1});
  }
  if (llama.config.tied_embeddings) llama.head = llama.embedding;
  return parameters;
}

// Scales all gradients so that their joint L2 norm is at most norm_max.
void clip_gradients(std::vector<Parameter>& parameters, float norm_max) {
  double sum = 0;
  for (Parameter& p : parameters) sum += p.tensor.grad().pow(2).sum().item<double>();
  const double norm = std::sqrt(sum);
  if (norm <= norm_max) return;
  for (Parameter& p : parameters) p.tensor.mutable_grad().mul_(norm_max / norm);
}

float rate_at(const PretrainPlan& plan, int step, double progress) {
  const float cosine = 0.5f * (1.0f + static_cast<float>(std::cos(std::numbers::pi * std::min(progress, 1.0))));
  const float rate = plan.lr_end + (plan.lr - plan.lr_end) * cosine;
  return step < plan.warmup ? rate * static_cast<float>(step + 1) / static_cast<float>(plan.warmup) : rate;
}

}  // namespace

Result<void> pretrain(Llama& llama, const PretrainPlan& plan, std::span<const TokenId> tokens,
                      const std::function<bool(const PretrainPoint&)>& report) {
  if (tokens.size() <= static_cast<std::size_t>(plan.window))
    return fail(Code::kBadInput, "the text is shorter than one window of " + std::to_string(plan.window) + " tokens");
  std::vector<Parameter> parameters = parameters_of(llama);
  const Precision precision = plan.bf16 ? Precision::kBf16 : Precision::kF32;
  Rng rng(plan.seed, 0x707265);
  const auto start = std::chrono::steady_clock::now();
  double loss_sum = 0;
  int since = 0;
  for (int step = 0;; ++step) {
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    double progress = static_cast<double>(step) / plan.steps;
    if (plan.minutes_max > 0) progress = std::max(progress, seconds / (plan.minutes_max * 60));
    const float rate = rate_at(plan, step, progress);
    if (since > 0 && (progress >= 1 || since == plan.report_every)) {
      if (!report({step, seconds, loss_sum / since, rate})) return {};
      loss_sum = since = 0;
    }
    if (progress >= 1) return {};
    const Batch batch = draw_batch(rng, tokens, plan.batch, plan.window);
    const at::Tensor h = hidden_states(llama, batch.ids, nullptr, precision);  // [N,C]
    const at::Tensor loss = head_loss(h, llama.head, batch.targets, nullptr, precision);
    loss_sum += loss.item<double>();
    ++since;
    if (!std::isfinite(loss_sum)) return fail(Code::kBadInput, "the loss is no number at step " + std::to_string(step) + ": lower --lr");
    loss.backward();
    clip_gradients(parameters, plan.norm_max);
    for (Parameter& p : parameters) {
      const at::Tensor gradient = p.tensor.grad().contiguous();
      kernels::adamw({.lr = rate, .beta2 = 0.95f, .weight_decay = p.decays ? plan.weight_decay : 0, .step = step + 1},
                     gradient.numel(), gradient.data_ptr<float>(), p.first.data(), p.second.data(), p.tensor.data_ptr<float>());
      p.tensor.mutable_grad() = at::Tensor();
    }
  }
}

Result<void> pretrain_model(const ModelConfig& config, const PretrainPlan& plan, const PretrainText& text, ByteView start,
                            const PretrainReport& report) {
  Llama llama = random_llama(config, plan.seed);
  if (!start.empty()) {
    TRY_ASSIGN(llama, load_llama(config, start, "the model to go on from"));
  }
  Result<void> outcome;
  TRY(pretrain(llama, plan, text.train, [&](const PretrainPoint& point) {
    Result<Evaluation> valid = evaluate(llama, {}, {}, text.valid, text.valid_bytes, plan.window, {});
    outcome = valid ? report(point, *valid, to_safetensors(llama)) : tl::unexpected(valid.error());
    return outcome.has_value();
  }));
  return outcome;
}

Bytes to_safetensors(Llama& llama) {
  std::vector<TensorToWrite> tensors;
  for (const NamedWeight& weight : named_weights(llama))
    tensors.push_back({weight.name, weight.shape,
                       {weight.tensor->data_ptr<float>(), static_cast<std::size_t>(weight.tensor->numel())}});
  return write_safetensors(tensors, Dtype::kBF16);
}

}  // namespace freshet
