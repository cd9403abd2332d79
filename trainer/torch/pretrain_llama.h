#pragma once
// What pretrain.h promises, over a Llama in memory.

#include "trainer/pretrain.h"
#include "trainer/torch/llama.h"

namespace freshet {

// Trains every weight of `llama` in place; stops early, keeping the weights, when `report` gives
// false.
Result<void> pretrain(Llama& llama, const PretrainPlan& plan, std::span<const TokenId> tokens,
                      const std::function<bool(const PretrainPoint&)>& report);

// Sum of losses over `tokens` in windows of `window`, each seeing only itself; every token but the
// first is predicted once. REQUIRES: two tokens at least; window in [1, max_positions].
Evaluation measure(const Llama& llama, std::span<const TokenId> tokens, std::uint64_t bytes,
                   int window, Products products);

// The weights as a bf16 safetensors file.
Bytes to_safetensors(Llama& llama);

}  // namespace freshet
