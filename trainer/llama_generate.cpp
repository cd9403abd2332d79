#include "trainer/llama_generate.h"

#include <algorithm>
#include <cmath>

#include "base/rng.h"
#include "trainer/transformer/pass.h"

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

Result<Generated> generate(const Transformer& model, const AdapterSpec& spec, const std::vector<float>& adapter,
                           std::span<const TokenId> prompt, const GeneratePlan& plan) {
  const auto positions = static_cast<std::size_t>(model.config.max_positions);
  if (prompt.empty()) return fail(Code::kBadInput, "the prompt is empty: give at least one token");
  if (prompt.size() >= positions)
    return fail(Code::kBadInput, "the prompt has " + std::to_string(prompt.size()) + " tokens; this model has room for " +
                                     std::to_string(positions - 1));
  for (TokenId id : prompt)
    if (id < 0 || id >= model.config.vocab_size)
      return fail(Code::kBadInput, "the tokenizer gave id " + std::to_string(id) + ", which the model does not have");
  TRY_ASSIGN(Layout layout, adapter_layout(model.config, spec));
  if (!adapter.empty() && adapter.size() != layout.size) return fail(Code::kBadInput, "the adapter does not fit the model");
  const Lora lora = adapter.empty() ? Lora() : Lora(model.config, layout, adapter.data(), nullptr, false, false);
  Rng rng(plan.seed, 0x67656e);
  TokenBatch batch;
  batch.sequences = 1;
  batch.ids.assign(prompt.begin(), prompt.end());
  std::vector<float> z(static_cast<std::size_t>(model.config.vocab_size));
  Pass pass(model, lora, {.rows_max = static_cast<std::int64_t>(std::min(positions, prompt.size() + static_cast<std::size_t>(plan.tokens_max))), .head_rows = 1});
  Generated out;
  while (static_cast<int>(out.ids.size()) < plan.tokens_max && batch.ids.size() < positions) {
    batch.time = static_cast<int>(batch.ids.size());
    Head::logits(model, 1, pass.hidden(batch) + (batch.rows() - 1) * model.config.hidden_size, z.data());
    const std::span<const float> logits(z);
    if (out.prompt_logits.empty()) out.prompt_logits.assign(logits.begin(), logits.end());
    const TokenId next = choose(logits, plan, rng);
    if (next == plan.eos_id) break;
    out.ids.push_back(next);
    batch.ids.push_back(next);
  }
  return out;
}

}  // namespace freshet
