#include "trainer/torch/pretrain_llama.h"

#include <ATen/Parallel.h>
#include <omp.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numbers>

#include "base/rng.h"
#include "model/files/safetensors.h"

namespace freshet {
namespace {

struct Parameter {
  at::Tensor tensor;
  std::vector<float> first, second;
  bool decays;  // matrices do, norms do not
};

struct Batch {
  at::Tensor ids;      // [B,T] of int64
  at::Tensor targets;  // [B*T]: the id that follows each
};

// Windows of `window` ids from each of `starts`. REQUIRES: one more token follows every one.
Batch batch_at(std::span<const TokenId> tokens, const std::vector<std::size_t>& starts,
               int window) {
  const auto rows = static_cast<std::int64_t>(starts.size());
  Batch batch{at::empty({rows, window}, at::kLong), at::empty({rows * window}, at::kLong)};
  std::int64_t at = 0;
  for (const std::size_t start : starts)
    for (std::size_t t = start; t < start + static_cast<std::size_t>(window); ++t, ++at) {
      batch.ids.data_ptr<std::int64_t>()[at] = tokens[t];
      batch.targets.data_ptr<std::int64_t>()[at] = tokens[t + 1];
    }
  return batch;
}

Batch draw_batch(Rng& rng, std::span<const TokenId> tokens, const PretrainPlan& plan) {
  std::vector<std::size_t> starts;
  for (int row = 0; row < plan.batch; ++row)
    starts.push_back(rng.below(tokens.size() - static_cast<std::size_t>(plan.window)));
  return batch_at(tokens, starts, plan.window);
}

Products products_of(const PretrainPlan& plan) {
  return plan.bf16 ? Products::kBf16 : Products::kF32;
}

std::vector<Parameter> parameters_of(Llama& llama) {
  std::vector<Parameter> parameters;
  for (NamedWeight& weight : named_weights(llama)) {
    weight.tensor->requires_grad_(true);
    const auto count = static_cast<std::size_t>(weight.tensor->numel());
    parameters.push_back({*weight.tensor, std::vector<float>(count), std::vector<float>(count),
                          weight.shape.size() > 1});
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
  const float cosine =
      0.5f * (1.0f + static_cast<float>(std::cos(std::numbers::pi * std::min(progress, 1.0))));
  const float rate = plan.lr_end + (plan.lr - plan.lr_end) * cosine;
  return step < plan.warmup ? rate * static_cast<float>(step + 1) / static_cast<float>(plan.warmup)
                            : rate;
}

}  // namespace

Result<void> pretrain(Llama& llama, const PretrainPlan& plan, std::span<const TokenId> tokens,
                      const std::function<bool(const PretrainPoint&)>& report) {
  if (tokens.size() <= static_cast<std::size_t>(plan.window))
    return fail(Code::kBadInput, "the text is shorter than one window of " +
                                     std::to_string(plan.window) + " tokens");
  std::vector<Parameter> parameters = parameters_of(llama);
  const Products products = products_of(plan);
  Rng rng(plan.seed, 0x707265);
  const auto start = std::chrono::steady_clock::now();
  double loss_sum = 0;
  int since = 0;
  for (int step = 0;; ++step) {
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    double progress = static_cast<double>(step) / plan.steps;
    if (plan.minutes_max > 0) progress = std::max(progress, seconds / (plan.minutes_max * 60));
    const float rate = rate_at(plan, step, progress);
    if (since > 0 && (progress >= 1 || since == plan.report_every)) {
      if (!report({step, seconds, loss_sum / since, rate})) return {};
      loss_sum = since = 0;
    }
    if (progress >= 1) return {};
    const Batch batch = draw_batch(rng, tokens, plan);
    const at::Tensor h = hidden_states(llama, batch.ids, products);  // [N,C]
    const at::Tensor loss = head_loss(h, llama.head, batch.targets, products);
    loss_sum += loss.item<double>();
    ++since;
    if (!std::isfinite(loss_sum))
      return fail(Code::kBadInput,
                  "the loss is no number at step " + std::to_string(step) + ": lower --lr");
    loss.backward();
    clip_gradients(parameters, plan.norm_max);
    for (Parameter& p : parameters) {
      const at::Tensor gradient = p.tensor.grad().contiguous();
      kernels::adamw({.lr = rate,
                      .beta2 = 0.95f,
                      .weight_decay = p.decays ? plan.weight_decay : 0,
                      .step = step + 1},
                     gradient.numel(), gradient.data_ptr<float>(), p.first.data(), p.second.data(),
                     p.tensor.data_ptr<float>());
      p.tensor.mutable_grad() = at::Tensor();
    }
  }
}

Evaluation measure(const Llama& llama, std::span<const TokenId> tokens, std::uint64_t bytes,
                   int window, Products products) {
  constexpr std::size_t kRowsAtATime = 2048;
  const at::NoGradGuard no_gradient;
  const std::size_t total = tokens.size() - 1;
  Evaluation result{total, bytes, 0};
  for (std::size_t at = 0; at < total;) {
    const std::size_t wide = std::min(static_cast<std::size_t>(window), total - at);
    std::vector<std::size_t> starts;
    for (; starts.empty() || (at + wide <= total && (starts.size() + 1) * wide <= kRowsAtATime);
         at += wide)
      starts.push_back(at);
    const Batch batch = batch_at(tokens, starts, static_cast<int>(wide));
    const at::Tensor mean =
        head_loss(hidden_states(llama, batch.ids, products), llama.head, batch.targets, products);
    result.nll += mean.item<double>() * static_cast<double>(starts.size() * wide);
  }
  return result;
}

Result<void> pretrain_model(const ModelConfig& config, const PretrainPlan& plan,
                            const PretrainText& text, ByteView start,
                            const PretrainReport& report) {
  TRY(check_plain(config, "the model to train"));
  if (plan.window < 1 || plan.window > config.max_positions)
    return fail(Code::kBadInput, "a window of " + std::to_string(plan.window) +
                                     " tokens does not fit the model's " +
                                     std::to_string(config.max_positions) + " positions");
  if (text.valid.size() < 2)
    return fail(Code::kBadInput, "nothing to measure: the valid text has fewer than two tokens");
  at::set_num_threads(
      omp_get_max_threads());  // else LibTorch takes its own choice when it first computes
  Llama llama = random_llama(config, plan.seed);
  if (!start.empty()) {
    TRY_ASSIGN(llama, load_llama(config, start, "the model to go on from"));
  }
  Result<void> outcome;
  TRY(pretrain(llama, plan, text.train, [&](const PretrainPoint& point) {
    outcome =
        report(point, measure(llama, text.valid, text.valid_bytes, plan.window, Products::kF32),
               to_safetensors(llama));
    return outcome.has_value();
  }));
  return outcome;
}

Bytes to_safetensors(Llama& llama) {
  std::vector<TensorToWrite> tensors;
  for (const NamedWeight& weight : named_weights(llama))
    tensors.push_back(
        {weight.name,
         weight.shape,
         {weight.tensor->data_ptr<float>(), static_cast<std::size_t>(weight.tensor->numel())}});
  return write_safetensors(tensors, Dtype::kBF16);
}

}  // namespace freshet
