#pragma once
// The tensors of a model by their Hugging Face names, and which of them are the linear modules that LoRA adapts.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/model_config.h"

namespace freshet {

struct LinearModule {
  std::string_view path;  // within a layer: "self_attn.q_proj"
  int in, out;
  bool bias;
  bool transposed;  // its weight is stored [in, out] (GPT-2's Conv1D), not [out, in]
};

// Of one layer, in the order of the forward pass: q k v o gate up down; GPT-2: attn.c_attn attn.c_proj mlp.c_fc
// mlp.c_proj.
std::vector<LinearModule> linear_modules(const ModelConfig& config);

std::string layer_prefix(const ModelConfig& config, int layer);  // "model.layers.3." or "transformer.h.3."

struct WeightShape {
  std::string name;
  std::vector<std::int64_t> shape;
  bool optional;  // a file may lack it: the head of a model whose embeddings are tied; what stands there is not used
};

// Every tensor: embeddings, layer by layer, final norm, head.
std::vector<WeightShape> weight_shapes(const ModelConfig& config);

}  // namespace freshet
