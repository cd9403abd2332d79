#pragma once
#include "trainer/generate.h"
#include "trainer/llama.h"

namespace freshet {

// kBadInput for an empty prompt, an id outside the vocabulary, or a prompt that fills the model's positions.
Result<Generated> generate(const Llama& llama, const AdapterSpec& spec, const std::vector<float>& adapter,
                           std::span<const TokenId> prompt, const GeneratePlan& plan);

}  // namespace freshet
