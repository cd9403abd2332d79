#pragma once
#include "trainer/generate.h"
#include "model/adapter.h"
#include "trainer/transformer/transformer.h"

namespace freshet {

// kBadInput for an empty prompt, an id outside the vocabulary, or a prompt that fills the model's positions.
Result<Generated> generate(const Transformer& model, const AdapterSpec& spec, const std::vector<float>& adapter,
                           std::span<const TokenId> prompt, const GeneratePlan& plan);

}  // namespace freshet
