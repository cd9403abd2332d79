#pragma once
// What a Hugging Face config.json says of a Llama-shaped model. An option that we do not implement is refused by name.

#include <string>
#include <string_view>

#include "base/json_fwd.h"
#include "base/result.h"

namespace freshet {

struct ModelConfig {
  int vocab_size = 0, hidden_size = 0, intermediate_size = 0, layers = 0, heads = 0, kv_heads = 0, head_dim = 0;
  int max_positions = 0;
  float rms_norm_eps = 1e-5f;
  double rope_theta = 10000;
  bool tied_embeddings = false;
  int bos_id = 1, eos_id = 2;
};

// `source` names the file in errors.
Result<ModelConfig> parse_model_config(std::string_view json, std::string_view source);
Json to_json(const ModelConfig& config);  // a config.json that transformers reads (LlamaForCausalLM, bfloat16)

}  // namespace freshet
