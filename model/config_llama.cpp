#include <fmt/core.h>

#include <algorithm>

#include "base/limits.h"
#include "model/config_fields.h"

namespace freshet::config {
namespace {

// What transformers takes where the file says nothing.
struct Defaults {
  std::string_view class_name;
  int kv_heads, head_dim;  // 0: as many as there are heads; their share of the hidden size
  int max_positions, window, bos;
  std::vector<int> eos;
};

Defaults defaults_of(Architecture architecture) {
  switch (architecture) {
    case Architecture::kMistral: return {"MistralForCausalLM", 8, 0, 1 << 17, 4096, 1, {2}};
    case Architecture::kQwen2: return {"Qwen2ForCausalLM", 32, 0, 32768, 4096, -1, {}};
    case Architecture::kQwen3: return {"Qwen3ForCausalLM", 32, 128, 32768, 4096, -1, {}};
    case Architecture::kLlama:
    case Architecture::kGpt2: break;
  }
  return {"LlamaForCausalLM", 0, 0, 2048, 0, 1, {2}};
}

// What models of this family may ask for and Freshet does not do.
Result<void> check_options(const Source& source, Architecture architecture) {
  TRY(check_fixed(source, {{"hidden_act", "silu"},
                           {"quantization_config", nullptr},
                           {"partial_rotary_factor", 1.0},
                           {"num_local_experts", nullptr},
                           {"num_experts", nullptr},
                           {"final_logit_softcapping", nullptr},
                           {"attn_logit_softcapping", nullptr},
                           {"logits_scaling", 1.0},
                           {"embedding_multiplier", 1.0},
                           {"residual_multiplier", 1.0},
                           {"attention_multiplier", nullptr},
                           {"attention_chunk_size", nullptr},
                           {"dual_chunk_attention_config", nullptr},
                           {"clip_qkv", nullptr},
                           {"no_rope_layers", nullptr},
                           {"use_mrope", false},
                           {"is_encoder_decoder", false},
                           {"add_cross_attention", false}}));
  if (architecture != Architecture::kQwen3) TRY(check_fixed(source, {{"use_qk_norm", false}}));
  if (architecture != Architecture::kLlama) TRY(check_fixed(source, {{"mlp_bias", false}}));
  if (architecture == Architecture::kMistral) TRY(check_fixed(source, {{"attention_bias", false}}));
  if (architecture == Architecture::kLlama)
    TRY(check_fixed(source, {{"sliding_window", nullptr}, {"use_sliding_window", false}}));
  return {};
}

Result<void> read_biases(const Source& source, ModelConfig& config) {
  const bool llama = config.architecture == Architecture::kLlama;
  if (llama || config.architecture == Architecture::kQwen3) {
    TRY_ASSIGN(config.qkv_bias,
               json_get_or<bool>(source.json, "attention_bias", false, source.name));
    config.output_bias = config.qkv_bias;
  }
  if (llama) {
    TRY_ASSIGN(config.mlp_bias, json_get_or<bool>(source.json, "mlp_bias", false, source.name));
  }
  if (config.architecture == Architecture::kQwen2) config.qkv_bias = true;
  config.qk_norm = config.architecture == Architecture::kQwen3;
  return {};
}

// The window that the layers which slide have; 0 where none does.
Result<int> sliding_window_of(const Source& source, Architecture architecture, int absent) {
  if (architecture == Architecture::kLlama) return 0;
  if (architecture != Architecture::kMistral) {
    TRY_ASSIGN(const bool used,
               json_get_or<bool>(source.json, "use_sliding_window", false, source.name));
    if (!used) return 0;
  }
  const auto found = source.json.find("sliding_window");
  if (found == source.json.end()) return absent;
  if (found->is_null()) return 0;
  return int_of(source, "sliding_window", kPositionCounts);
}

// Which layers slide, as "layer_types" says.
Result<std::vector<bool>> listed_layers(const Source& source, const Json& types, int layers) {
  if (!types.is_array() || types.size() != static_cast<std::size_t>(layers))
    return bad(source, fmt::format("\"layer_types\" is not a list of {} names", layers));
  std::vector<bool> slides;
  for (const Json& type : types) {
    if (type != "full_attention" && type != "sliding_attention")
      return bad(source, "\"layer_types\": " + to_text(type) +
                             " is not supported; Freshet runs full_attention and "
                             "sliding_attention");
    slides.push_back(type == "sliding_attention");
  }
  return slides;
}

Result<void> read_windows(const Source& source, int absent, ModelConfig& config) {
  TRY_ASSIGN(const int window, sliding_window_of(source, config.architecture, absent));
  TRY_ASSIGN(const int first_sliding, int_or(source, "max_window_layers", 28, {0, 1 << 20}));
  const bool all = config.architecture == Architecture::kMistral;
  std::vector<bool> slides(static_cast<std::size_t>(config.layers), window > 0);
  for (std::size_t layer = 0; layer < slides.size(); ++layer)
    if (!all && layer < static_cast<std::size_t>(first_sliding)) slides[layer] = false;
  const auto types = source.json.find("layer_types");
  if (types != source.json.end() && !types->is_null()) {
    TRY_ASSIGN(const std::vector<bool> listed, listed_layers(source, *types, config.layers));
    if (all && listed != slides)
      return bad(source, "\"layer_types\" and \"sliding_window\" contradict each other");
    slides = listed;
  }
  for (bool each : slides) {
    if (each && window == 0)
      return bad(source, "\"layer_types\" has sliding layers, but there is no sliding window");
    config.windows.push_back(each ? window : 0);
  }
  if (std::vector<int>(slides.size(), 0) == config.windows) config.windows.clear();
  return {};
}

Result<void> read_sizes(const Source& source, const Defaults& absent, ModelConfig& config) {
  TRY_ASSIGN(config.hidden_size, int_of(source, "hidden_size", kHiddenSizes));
  TRY_ASSIGN(config.intermediate_size, int_of(source, "intermediate_size", kInnerSizes));
  TRY_ASSIGN(config.layers, int_of(source, "num_hidden_layers", kLayerCounts));
  TRY_ASSIGN(config.heads, int_of(source, "num_attention_heads", kHeadCounts));
  const auto kv = source.json.find("num_key_value_heads");
  const bool named = kv != source.json.end() || absent.kv_heads == 0;
  TRY_ASSIGN(config.kv_heads, int_or(source, "num_key_value_heads",
                                     named ? config.heads : absent.kv_heads, kHeadCounts));
  const auto head = source.json.find("head_dim");
  const bool shared = head == source.json.end() ? absent.head_dim == 0 : head->is_null();
  if (shared && config.hidden_size % config.heads != 0)
    return bad(source, "hidden_size is not a multiple of num_attention_heads");
  TRY_ASSIGN(config.head_dim,
             int_or(source, "head_dim",
                    shared ? config.hidden_size / config.heads : absent.head_dim, kHeadCounts));
  TRY_ASSIGN(config.max_positions,
             int_or(source, "max_position_embeddings", absent.max_positions, kPositionCounts));
  return {};
}

// Qwen's way to say which layers slide; nothing where none does.
void write_windows(const ModelConfig& config, Json& json) {
  int window = 0;
  Json types = Json::array();
  for (int layer = 0; layer < config.layers; ++layer) {
    const int own = config.window_of(layer);
    window = std::max(window, own);
    types.push_back(own > 0 ? "sliding_attention" : "full_attention");
  }
  if (config.architecture == Architecture::kLlama) return;
  json["sliding_window"] = window > 0 ? Json(window) : Json(nullptr);
  if (config.architecture == Architecture::kMistral) return;
  json["use_sliding_window"] = window > 0;
  if (window > 0) json["max_window_layers"] = 0;
  if (window > 0) json["layer_types"] = std::move(types);
}

}  // namespace

Result<ModelConfig> read_llama_family(const Source& source, Architecture architecture) {
  const Defaults absent = defaults_of(architecture);
  TRY(check_options(source, architecture));
  TRY(check_class(source, absent.class_name));
  ModelConfig config;
  config.architecture = architecture;
  TRY_ASSIGN(config.vocab_size, int_of(source, "vocab_size", {1, limits::kVocabularyMax}));
  TRY(read_sizes(source, absent, config));
  TRY_ASSIGN(config.norm_eps, eps_of(source, "rms_norm_eps", 1e-6));
  TRY(read_rope(source, config));
  TRY_ASSIGN(config.tied_embeddings,
             json_get_or<bool>(source.json, "tie_word_embeddings", false, source.name));
  TRY(read_biases(source, config));
  TRY(read_windows(source, absent.window, config));
  TRY_ASSIGN(config.bos_id, id_of(source, "bos_token_id", absent.bos));
  TRY_ASSIGN(config.eos_ids, ids_of(source, "eos_token_id", absent.eos));
  return config;
}

Json write_llama_family(const ModelConfig& config) {
  Json json{
      {"architectures", {defaults_of(config.architecture).class_name}},
      {"model_type", name_of(config.architecture)},
      {"hidden_size", config.hidden_size},
      {"intermediate_size", config.intermediate_size},
      {"num_hidden_layers", config.layers},
      {"num_attention_heads", config.heads},
      {"num_key_value_heads", config.kv_heads},
      {"head_dim", config.head_dim},
      {"vocab_size", config.vocab_size},
      {"max_position_embeddings", config.max_positions},
      {"rms_norm_eps", decimal(config.norm_eps)},
  };
  write_rope(config, json);
  json["hidden_act"] = "silu";
  json["tie_word_embeddings"] = config.tied_embeddings;
  if (config.architecture == Architecture::kLlama || config.architecture == Architecture::kQwen3)
    json["attention_bias"] = config.qkv_bias;
  if (config.architecture == Architecture::kLlama) json["mlp_bias"] = config.mlp_bias;
  write_windows(config, json);
  json["bos_token_id"] = id_or_null(config.bos_id);
  json["eos_token_id"] = ids_or_null(config.eos_ids);
  json["torch_dtype"] = "bfloat16";
  return json;
}

}  // namespace freshet::config
