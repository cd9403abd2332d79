#include "trainer/llama_generate.h"

#include <algorithm>
#include <cmath>

#include "base/rng.h"

namespace freshet {
namespace {

TokenId choose(std::span<const float> logits, const GeneratePlan& plan, Rng& rng) {
  const auto highest = std::max_element(logits.begin(), logits.end());
  if (plan.greedy || plan.temperature <= 0) return static_cast<TokenId>(highest - logits.begin());
  std::vector<double> weights(logits.size());
  double sum = 0;
  for (std::size_t i = 0; i < logits.size(); ++i) sum += weights[i] = std::exp((logits[i] - *highest) / plan.temperature);
  double left = rng.uniform() * sum;
  for (std::size_t i = 0; i < weights.size(); ++i)
    if ((left -= weights[i]) < 0) return static_cast<TokenId>(i);
  return static_cast<TokenId>(highest - logits.begin());
}

}  // namespace

Result<Generated> generate(const Llama& llama, const AdapterSpec& spec, const std::vector<float>& adapter,
                           std::span<const TokenId> prompt, const GeneratePlan& plan) {
  const auto positions = static_cast<std::size_t>(llama.config.max_positions);
  if (prompt.empty()) return fail(Code::kBadInput, "the prompt is empty: give at least one token");
  if (prompt.size() >= positions)
    return fail(Code::kBadInput, "the prompt has " + std::to_string(prompt.size()) + " tokens; this model has room for " +
                                     std::to_string(positions - 1));
  for (TokenId id : prompt)
    if (id < 0 || id >= llama.config.vocab_size)
      return fail(Code::kBadInput, "the tokenizer gave id " + std::to_string(id) + ", which the model does not have");
  at::NoGradGuard no_gradient;
  TRY_ASSIGN(Layout layout, adapter_layout(llama.config, spec));
  if (!adapter.empty() && adapter.size() != layout.size) return fail(Code::kBadInput, "the adapter does not fit the model");
  const LoraAdapter lora(llama.config, spec, std::move(layout), adapter, false, false);
  Rng rng(plan.seed, 0x67656e);
  std::vector<std::int64_t> ids(prompt.begin(), prompt.end());
  Generated out;
  while (static_cast<int>(out.ids.size()) < plan.tokens_max && ids.size() < positions) {
    const at::Tensor input = at::from_blob(ids.data(), {1, static_cast<std::int64_t>(ids.size())}, at::kLong);
    const at::Tensor h = hidden_states(llama, input, &lora, Precision::kF32);                              // [T,C]
    const at::Tensor z = logits_of(llama, h.narrow(0, h.size(0) - 1, 1).contiguous(), Precision::kF32);  // [1,V]
    const std::span<const float> logits(z.data_ptr<float>(), static_cast<std::size_t>(z.numel()));
    if (out.prompt_logits.empty()) out.prompt_logits.assign(logits.begin(), logits.end());
    const TokenId next = choose(logits, plan, rng);
    if (next == plan.eos_id) break;
    out.ids.push_back(next);
    ids.push_back(next);
  }
  return out;
}

}  // namespace freshet
