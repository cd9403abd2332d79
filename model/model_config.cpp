#include "model/model_config.h"

#include <algorithm>
#include <array>
#include <string>

#include "base/json.h"
#include "base/limits.h"
#include "model/config_fields.h"

namespace freshet {
namespace {

constexpr std::array kArchitectures = {Architecture::kLlama, Architecture::kMistral,
                                       Architecture::kQwen2, Architecture::kQwen3,
                                       Architecture::kGpt2};

Result<Architecture> architecture_of(const config::Source& source) {
  if (!source.json.contains("model_type"))
    return bad(source, "no \"model_type\"; this is not the config.json of a model");
  TRY_ASSIGN(const std::string type, json_get<std::string>(source.json, "model_type", source.name));
  std::string known;
  for (Architecture each : kArchitectures) {
    if (type == name_of(each)) return each;
    known += (known.empty() ? "" : " ") + std::string(name_of(each));
  }
  return bad(source, "model_type " + to_text(type) + " is not supported; Freshet runs " + known);
}

}  // namespace

std::string_view name_of(Architecture architecture) {
  switch (architecture) {
    case Architecture::kLlama: break;
    case Architecture::kMistral: return "mistral";
    case Architecture::kQwen2: return "qwen2";
    case Architecture::kQwen3: return "qwen3";
    case Architecture::kGpt2: return "gpt2";
  }
  return "llama";
}

Result<ModelConfig> parse_model_config(std::string_view text, std::string_view name) {
  TRY_ASSIGN(const Json json, parse_json(text, name));
  const config::Source source{json, name};
  if (!json.is_object()) return bad(source, "not a JSON object");
  TRY_ASSIGN(const Architecture architecture, architecture_of(source));
  TRY_ASSIGN(ModelConfig config, architecture == Architecture::kGpt2
                                     ? config::read_gpt2(source)
                                     : config::read_llama_family(source, architecture));
  TRY(check_model_config(config, name));
  return config;
}

Result<void> check_model_config(const ModelConfig& config, std::string_view source) {
  const auto refuse = [&](const std::string& what) {
    return fail(Code::kBadInput, std::string(source) + ": " + what);
  };
  const std::pair<int, config::Range> sizes[] = {
      {config.vocab_size, {1, limits::kVocabularyMax}},
      {config.hidden_size, config::kHiddenSizes},
      {config.intermediate_size, config::kInnerSizes},
      {config.layers, config::kLayerCounts},
      {config.heads, config::kHeadCounts},
      {config.kv_heads, config::kHeadCounts},
      {config.head_dim, config::kHeadCounts},
      {config.max_positions, config::kPositionCounts},
  };
  for (const auto& [size, range] : sizes)
    if (size < range.low || size > range.high)
      return refuse("a size of " + std::to_string(size) + ", outside " + std::to_string(range.low) +
                    " to " + std::to_string(range.high));
  if (!(config.norm_eps > 0 && config.norm_eps < 1))
    return refuse("the epsilon of the norms is outside 0 to 1");
  if (config.heads % config.kv_heads != 0)
    return refuse("num_attention_heads is not a multiple of num_key_value_heads");
  if (config.architecture == Architecture::kGpt2) {
    if (config.kv_heads == config.heads && config.hidden_size == config.heads * config.head_dim)
      return {};
    return refuse("the heads of a GPT-2 do not share its hidden size");
  }
  if (!(config.rope_theta >= 1 && config.rope_theta <= 1e12))
    return refuse("\"rope_theta\" is outside 1 to 1e12");
  if (config.head_dim < 2 || config.head_dim % 2 != 0)
    return refuse("heads of " + std::to_string(config.head_dim) +
                  " entries; rotary positions need an even number");
  return {};
}

Json to_json(const ModelConfig& config) {
  return config.architecture == Architecture::kGpt2 ? config::write_gpt2(config)
                                                    : config::write_llama_family(config);
}

}  // namespace freshet
