#include "model/process/model_fields.h"

#include <array>
#include <limits>
#include <utility>

#include "base/limits.h"

namespace freshet {
namespace {

constexpr Bounds<double> kNotNegative{0, 0x1p100};
constexpr Bounds<int> kSize{0, 1 << 24};
constexpr std::array<std::string_view, 5> kArchitectures{"llama", "mistral", "qwen2", "qwen3",
                                                         "gpt2"};
constexpr std::array<std::string_view, 3> kRopes{"none", "linear", "llama3"};

void list(Fields& fields, Architecture& architecture) {
  auto index = static_cast<std::size_t>(architecture);
  fields.choice("architecture", index, kArchitectures);
  architecture = static_cast<Architecture>(index);
}

void list(Fields& fields, RopeScaling& rope) {
  auto index = static_cast<std::size_t>(rope.kind);
  fields.choice("rope", index, kRopes);
  rope.kind = static_cast<RopeScaling::Kind>(index);
  fields.real("rope_factor", rope.factor, kNotNegative);
  fields.real("rope_low", rope.low_frequency_factor, kNotNegative);
  fields.real("rope_high", rope.high_frequency_factor, kNotNegative);
  fields.integer("rope_positions", rope.original_positions, kSize);
}

// Pairs travel as two lists of one length: "NAME_patterns" and "NAME_values".
template <class T, class ListValues>
void list_pattern(Fields& fields, std::vector<std::pair<std::string, T>>& pairs,
                  const std::string& name, const ListValues& list_values) {
  std::vector<std::string> keys;
  std::vector<T> values;
  for (const auto& [key, value] : pairs) {
    keys.push_back(key);
    values.push_back(value);
  }
  fields.texts(name + "_patterns", keys,
               {limits::kAdapterPatternsMax, limits::kAdapterTargetBytesMax});
  list_values(name + "_values", values);
  if (keys.size() != values.size()) return fields.refuse(name + "_values");
  pairs.clear();
  for (std::size_t i = 0; i < keys.size(); ++i) pairs.emplace_back(keys[i], values[i]);
}

}  // namespace

void list(Fields& fields, AdapterSpec& spec, const std::string& prefix) {
  fields.integer(prefix + "rank", spec.rank, {1, limits::kAdapterRankMax});
  fields.real(prefix + "alpha", spec.alpha, {0, 1e6});
  fields.texts(prefix + "targets", spec.targets,
               {limits::kAdapterTargetsMax, limits::kAdapterTargetBytesMax});
  fields.flag(prefix + "rslora", spec.rslora);
  fields.integers(prefix + "adapted_layers", spec.layers, limits::kLayersMax, kSize);
  list_pattern(
      fields, spec.rank_pattern, prefix + "rank",
      [&](const std::string& key, std::vector<int>& ranks) {
        fields.integers(key, ranks, limits::kAdapterPatternsMax, {1, limits::kAdapterRankMax});
      });
  list_pattern(fields, spec.alpha_pattern, prefix + "alpha",
               [&](const std::string& key, std::vector<float>& alphas) {
                 fields.reals(key, alphas, limits::kAdapterPatternsMax, {0, 1e6f});
               });
}

void list(Fields& fields, ModelConfig& config) {
  list(fields, config.architecture);
  fields.integer("vocab_size", config.vocab_size, kSize);
  fields.integer("hidden_size", config.hidden_size, kSize);
  fields.integer("intermediate_size", config.intermediate_size, kSize);
  fields.integer("layers", config.layers, kSize);
  fields.integer("heads", config.heads, kSize);
  fields.integer("kv_heads", config.kv_heads, kSize);
  fields.integer("head_dim", config.head_dim, kSize);
  fields.integer("max_positions", config.max_positions, {0, std::numeric_limits<int>::max()});
  fields.real("norm_eps", config.norm_eps, kNotNegative);
  fields.real("rope_theta", config.rope_theta, kNotNegative);
  list(fields, config.rope);
  fields.flag("tied_embeddings", config.tied_embeddings);
  fields.flag("qkv_bias", config.qkv_bias);
  fields.flag("output_bias", config.output_bias);
  fields.flag("mlp_bias", config.mlp_bias);
  fields.flag("qk_norm", config.qk_norm);
  fields.integers("windows", config.windows, limits::kLayersMax, kSize);
  fields.integer("bos_id", config.bos_id, {-1, 1 << 24});
  fields.integers("eos_ids", config.eos_ids, limits::kEndIdsMax, kSize);
}

}  // namespace freshet
