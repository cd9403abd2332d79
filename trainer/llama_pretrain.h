#pragma once
#include "trainer/llama.h"
#include "trainer/pretrain.h"

namespace freshet {

// Trains every weight of `llama` in place; stops early, keeping the weights, when `report` gives false.
Result<void> pretrain(Llama& llama, const PretrainPlan& plan, std::span<const TokenId> tokens,
                      const std::function<bool(const PretrainPoint&)>& report);

// The weights as a bf16 safetensors file.
Bytes to_safetensors(Llama& llama);

}  // namespace freshet
