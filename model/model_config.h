#pragma once
// What a Hugging Face config.json says of a model. An option that we do not implement is refused by name.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json_fwd.h"
#include "base/result.h"

namespace freshet {

enum class Architecture : std::uint8_t { kLlama, kMistral, kQwen2, kQwen3, kGpt2 };

// How the rotary angles of a model are stretched to more positions than it was first trained on.
struct RopeScaling {
  enum class Kind : std::uint8_t { kNone, kLinear, kLlama3 };
  Kind kind = Kind::kNone;
  double factor = 1;
  double low_frequency_factor = 1, high_frequency_factor = 4;  // kLlama3 alone, as the next
  int original_positions = 0;
  bool operator==(const RopeScaling&) const = default;
};

// GPT-2 stands apart: learned positions (no rope), LayerNorm with bias, every linear module biased, an MLP of two
// linear modules with tanh-GELU between them, kv_heads == heads.
struct ModelConfig {
  Architecture architecture = Architecture::kLlama;
  int vocab_size = 0, hidden_size = 0, intermediate_size = 0, layers = 0, heads = 0, kv_heads = 0, head_dim = 0;
  int max_positions = 0;
  float norm_eps = 1e-5f;
  double rope_theta = 10000;
  RopeScaling rope = {};
  bool tied_embeddings = false;
  bool qkv_bias = false, output_bias = false, mlp_bias = false;  // output: o_proj
  bool qk_norm = false;                                          // RMS norm of each head's queries and keys
  std::vector<int> windows = {};  // by layer: how many positions a query sees, itself included; 0 or no entry: all
  int bos_id = 1;                 // -1: none
  std::vector<int> eos_ids = {2};

  int window_of(int layer) const {
    const auto index = static_cast<std::size_t>(layer);
    return index < windows.size() ? windows[index] : 0;
  }
  bool operator==(const ModelConfig&) const = default;
};

std::string_view name_of(Architecture architecture);  // the model_type: "llama", "gpt2"

// `source` names the file in errors.
Result<ModelConfig> parse_model_config(std::string_view json, std::string_view source);

// What parse_model_config() checks of the numbers together: whoever fills a ModelConfig from another form calls it.
Result<void> check_model_config(const ModelConfig& config, std::string_view source);

// A config.json that transformers reads, of any architecture; its "torch_dtype" is bfloat16.
Json to_json(const ModelConfig& config);

}  // namespace freshet
