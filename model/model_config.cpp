#include "model/model_config.h"

#include <fmt/core.h>

#include <string>

#include "base/json.h"
#include "base/limits.h"

namespace freshet {
namespace {

// An option whose only implemented value is `only`; absent and null mean the same.
struct FixedOption {
  const char* key;
  Json only;
};

Result<void> check_fixed_options(const Json& json, std::string_view source) {
  const FixedOption options[] = {
      {"model_type", "llama"},
      {"hidden_act", "silu"},
      {"attention_bias", false},
      {"mlp_bias", false},
      {"rope_scaling", nullptr},
      {"sliding_window", nullptr},
      {"use_sliding_window", false},
      {"quantization_config", nullptr},
      {"partial_rotary_factor", 1.0},
      {"num_local_experts", nullptr},
      {"final_logit_softcapping", nullptr},
      {"attn_logit_softcapping", nullptr},
      {"logits_scaling", 1.0},
      {"embedding_multiplier", 1.0},
      {"residual_multiplier", 1.0},
      {"use_qk_norm", false},
      {"is_encoder_decoder", false},
  };
  for (const FixedOption& option : options) {
    const auto found = json.find(option.key);
    if (found == json.end() || found->is_null() || *found == option.only) continue;
    return fail(Code::kBadInput, std::string(source) + ": \"" + option.key +
                                     "\": " + to_text(*found) +
                                     " is not supported; Freshet runs plain Llama models (" +
                                     option.key + " " + to_text(option.only) + ")");
  }
  const auto architectures = json.find("architectures");
  if (architectures == json.end() || architectures->is_null()) return {};
  if (!architectures->is_array() || architectures->size() != 1 ||
      (*architectures)[0] != "LlamaForCausalLM")
    return fail(Code::kBadInput, std::string(source) + ": architectures " +
                                     to_text(*architectures) +
                                     " is not supported; Freshet runs LlamaForCausalLM");
  return {};
}

struct Bounds {
  std::int64_t low, high;
};

Result<int> int_of(const Json& json, const char* key, Bounds bounds, std::string_view source) {
  const auto found = json.find(key);
  if (found == json.end())
    return fail(Code::kBadInput, std::string(source) + ": no \"" + key + "\"");
  if (!found->is_number_integer())
    return fail(Code::kBadInput, std::string(source) + ": \"" + key + "\" is not an integer");
  const bool huge = found->is_number_unsigned() && found->get<std::uint64_t>() > std::uint64_t{1}
                                                                                     << 62;
  const std::int64_t value = huge ? 0 : found->get<std::int64_t>();
  if (huge || value < bounds.low || value > bounds.high)
    return fail(Code::kBadInput, std::string(source) + ": \"" + key + "\" is " + to_text(*found) +
                                     ", outside " + std::to_string(bounds.low) + " to " +
                                     std::to_string(bounds.high));
  return static_cast<int>(value);
}

Result<int> int_or(const Json& json, const char* key, int absent, Bounds bounds,
                   std::string_view source) {
  const auto found = json.find(key);
  if (found == json.end() || found->is_null()) return absent;
  return int_of(json, key, bounds, source);
}

// A token id: absent gives the default of LlamaConfig, null gives none, of a list the first counts.
Result<int> id_of(const Json& json, const char* key, int absent, std::string_view source) {
  const auto found = json.find(key);
  if (found == json.end()) return absent;
  if (found->is_null()) return -1;
  if (found->is_array() && !found->empty())
    return int_of(Json{{key, found->front()}}, key, {0, limits::kVocabularyMax}, source);
  return int_of(json, key, {-1, limits::kVocabularyMax}, source);
}

// The base of the rotary angles, in its old place or in the new one ("rope_parameters").
Result<double> rope_theta_of(const Json& json, std::string_view source) {
  const Json* holder = &json;
  const auto parameters = json.find("rope_parameters");
  if (parameters != json.end() && !parameters->is_null()) {
    TRY_ASSIGN(const std::string type,
               json_get_or<std::string>(*parameters, "rope_type", "default", source));
    if (type != "default")
      return fail(Code::kBadInput, std::string(source) + ": rope_type \"" + type +
                                       "\" is not supported; Freshet runs \"default\"");
    if (!json.contains("rope_theta")) holder = &*parameters;
  }
  TRY_ASSIGN(const double theta, json_get_or<double>(*holder, "rope_theta", 10000.0, source));
  if (!(theta >= 1 && theta <= 1e12))
    return fail(Code::kBadInput, std::string(source) + ": \"rope_theta\" is outside 1 to 1e12");
  return theta;
}

}  // namespace

Result<ModelConfig> parse_model_config(std::string_view text, std::string_view source) {
  TRY_ASSIGN(const Json json, parse_json(text, source));
  if (!json.is_object()) return fail(Code::kBadInput, std::string(source) + ": not a JSON object");
  if (!json.contains("model_type"))
    return fail(Code::kBadInput, std::string(source) +
                                     ": no \"model_type\"; this is not the config.json of a model");
  TRY(check_fixed_options(json, source));

  ModelConfig config;
  TRY_ASSIGN(config.vocab_size, int_of(json, "vocab_size", {1, limits::kVocabularyMax}, source));
  TRY_ASSIGN(config.hidden_size, int_of(json, "hidden_size", {1, 1 << 16}, source));
  TRY_ASSIGN(config.intermediate_size, int_of(json, "intermediate_size", {1, 1 << 18}, source));
  TRY_ASSIGN(config.layers, int_of(json, "num_hidden_layers", {1, 1024}, source));
  TRY_ASSIGN(config.heads, int_of(json, "num_attention_heads", {1, 1024}, source));
  TRY_ASSIGN(config.kv_heads, int_or(json, "num_key_value_heads", config.heads, {1, 1024}, source));
  TRY_ASSIGN(config.head_dim,
             int_or(json, "head_dim", config.hidden_size / config.heads, {1, 1024}, source));
  TRY_ASSIGN(config.max_positions,
             int_or(json, "max_position_embeddings", 2048, {1, 1 << 24}, source));
  TRY_ASSIGN(const double eps, json_get_or<double>(json, "rms_norm_eps", 1e-6, source));
  config.rms_norm_eps = static_cast<float>(eps);
  TRY_ASSIGN(config.rope_theta, rope_theta_of(json, source));
  TRY_ASSIGN(config.tied_embeddings, json_get_or<bool>(json, "tie_word_embeddings", false, source));
  TRY_ASSIGN(config.bos_id, id_of(json, "bos_token_id", 1, source));
  TRY_ASSIGN(config.eos_id, id_of(json, "eos_token_id", 2, source));

  if (!(config.rms_norm_eps > 0 && config.rms_norm_eps < 1))
    return fail(Code::kBadInput, std::string(source) + ": \"rms_norm_eps\" is outside 0 to 1");
  if (!json.contains("head_dim") && config.hidden_size % config.heads != 0)
    return fail(Code::kBadInput,
                std::string(source) + ": hidden_size is not a multiple of num_attention_heads");
  if (config.heads % config.kv_heads != 0)
    return fail(
        Code::kBadInput,
        std::string(source) + ": num_attention_heads is not a multiple of num_key_value_heads");
  if (config.head_dim < 2 || config.head_dim % 2 != 0)
    return fail(Code::kBadInput, std::string(source) + ": heads of " +
                                     std::to_string(config.head_dim) +
                                     " entries; rotary positions need an even number");
  return config;
}

Json to_json(const ModelConfig& config) {
  // The shortest decimal that reads back as the same float.
  const double eps = std::stod(fmt::format("{}", config.rms_norm_eps));
  return Json{
      {"architectures", {"LlamaForCausalLM"}},
      {"model_type", "llama"},
      {"hidden_size", config.hidden_size},
      {"intermediate_size", config.intermediate_size},
      {"num_hidden_layers", config.layers},
      {"num_attention_heads", config.heads},
      {"num_key_value_heads", config.kv_heads},
      {"head_dim", config.head_dim},
      {"vocab_size", config.vocab_size},
      {"max_position_embeddings", config.max_positions},
      {"rms_norm_eps", eps},
      {"rope_theta", config.rope_theta},
      {"rope_scaling", nullptr},
      {"hidden_act", "silu"},
      {"tie_word_embeddings", config.tied_embeddings},
      {"attention_bias", false},
      {"mlp_bias", false},
      {"bos_token_id", config.bos_id < 0 ? Json(nullptr) : Json(config.bos_id)},
      {"eos_token_id", config.eos_id < 0 ? Json(nullptr) : Json(config.eos_id)},
      {"torch_dtype", "bfloat16"},
  };
}

}  // namespace freshet
