#include "model/files/peft_config.h"

#include <algorithm>
#include <cmath>

#include "base/json.h"
#include "base/limits.h"
#include "model/module_patterns.h"
#include "model/modules.h"

namespace freshet {
namespace {

// Options that change nothing about what a finished adapter computes, whatever their value, and
// those that are read below.
constexpr std::string_view kRead[] = {
    "alpha_pattern",
    "auto_mapping",
    "base_model_name_or_path",
    "fan_in_fan_out",
    "inference_mode",
    "layers_pattern",
    "layers_to_transform",
    "lora_alpha",
    "lora_dropout",
    "megatron_core",
    "peft_version",
    "qalora_group_size",
    "r",
    "rank_pattern",
    "revision",
    "target_modules",
    "use_rslora",
};

struct FixedOption {
  std::string_view key, only;
};
constexpr FixedOption kFixed[] = {
    {"peft_type", "LORA"}, {"bias", "none"}, {"task_type", "CAUSAL_LM"}};

bool is_off(const Json& value) {
  return value.is_null() || value == false ||
         ((value.is_object() || value.is_array()) && value.empty());
}

// An adapter_config.json that is open, and the model that it must fit.
struct Source {
  const Json& json;
  const ModelConfig& model;
  std::string_view name;

  tl::unexpected<Error> bad(const std::string& what) const {
    return fail(Code::kBadInput, std::string(name) + ": " + what);
  }
  const Json* find(const char* key) const {
    const auto found = json.find(key);
    return found == json.end() || found->is_null() ? nullptr : &*found;
  }
};

// Every other option must be off: PEFT adds variants of LoRA as new options.
Result<void> check_options(const Source& source) {
  for (const auto& [key, value] : source.json.items()) {
    if (std::find(std::begin(kRead), std::end(kRead), key) != std::end(kRead) || is_off(value))
      continue;
    if (key == "init_lora_weights" && (value == true || value == "gaussian")) continue;
    const auto fixed = std::find_if(std::begin(kFixed), std::end(kFixed),
                                    [&](FixedOption option) { return option.key == key; });
    if (fixed != std::end(kFixed) && value == fixed->only) continue;
    return source.bad("\"" + key + "\": " + to_text(value) +
                      " is not supported; Freshet reads plain LoRA adapters without it");
  }
  TRY(json_get<std::string>(source.json, "peft_type", source.name));
  // Says how the weights of the base are stored, which the model knows better.
  TRY_ASSIGN(const bool transposed,
             json_get_or<bool>(source.json, "fan_in_fan_out", false, source.name));
  if (transposed && source.model.architecture != Architecture::kGpt2)
    return source.bad("\"fan_in_fan_out\": true is only right for GPT-2");
  return {};
}

std::string_view leaf_of(std::string_view path) { return path.substr(path.rfind('.') + 1); }

bool ends_a_path(std::string_view path, std::string_view target) {
  return path == target || leaf_of(path) == target;
}

// One spelling for one set of targets.
std::vector<std::string> in_order(const ModelConfig& model, std::vector<std::string> targets) {
  const std::vector<LinearModule> modules = linear_modules(model);
  const auto place = [&](const std::string& target) {
    return std::find_if(
               modules.begin(), modules.end(),
               [&](const LinearModule& module) { return ends_a_path(module.path, target); }) -
           modules.begin();
  };
  std::stable_sort(targets.begin(), targets.end(),
                   [&](const auto& a, const auto& b) { return place(a) < place(b); });
  const bool all = std::all_of(modules.begin(), modules.end(), [&](const LinearModule& module) {
    return std::any_of(targets.begin(), targets.end(),
                       [&](const std::string& each) { return ends_a_path(module.path, each); });
  });
  const bool more = std::any_of(targets.begin(), targets.end(), [&](const std::string& each) {
    return place(each) == static_cast<std::ptrdiff_t>(modules.size());
  });
  if (all && !more) targets.clear();
  return targets;
}

// The modules whose full names a regular expression matches.
Result<std::vector<std::string>> matched(const Source& source, const std::string& pattern) {
  TRY_ASSIGN(const ModulePatterns compiled, ModulePatterns::compile_full(pattern));
  std::vector<std::string> names, paths;
  bool by_path = true;
  for (const LinearModule& module : linear_modules(source.model)) {
    int found = 0;
    for (int layer = 0; layer < source.model.layers; ++layer) {
      const std::string name = layer_prefix(source.model, layer) + std::string(module.path);
      TRY_ASSIGN(const std::optional<std::size_t> match, compiled.first_match(name));
      if (!match) continue;
      names.push_back(name);
      ++found;
    }
    if (found > 0) paths.emplace_back(module.path);
    by_path = by_path && (found == 0 || found == source.model.layers);
  }
  if (names.empty())
    return source.bad("\"target_modules\": \"" + pattern + "\" matches no linear module");
  return by_path ? paths : names;
}

Result<std::vector<std::string>> read_targets(const Source& source) {
  const Json* found = source.find("target_modules");
  if (found == nullptr) return source.bad("no \"target_modules\"");
  if (*found == "all-linear") return std::vector<std::string>{};
  if (found->is_string()) {
    Result<std::vector<std::string>> names = matched(source, found->get<std::string>());
    if (!names) return fail_in(std::string(source.name) + ": target_modules", names.error());
    return in_order(source.model, std::move(*names));
  }
  if (!found->is_array() || found->empty())
    return source.bad("\"target_modules\" is not a list of module names");
  TRY_ASSIGN(auto names,
             json_get<std::vector<std::string>>(source.json, "target_modules", source.name));
  return in_order(source.model, std::move(names));
}

Result<std::vector<int>> read_layers(const Source& source) {
  std::vector<int> layers;
  const Json* found = source.find("layers_to_transform");
  if (found == nullptr) return layers;
  const Json* pattern = source.find("layers_pattern");
  const char* container = source.model.architecture == Architecture::kGpt2 ? "h" : "layers";
  if (pattern != nullptr && !pattern->empty() && *pattern != "" && *pattern != container &&
      *pattern != Json::array({container}))
    return source.bad("\"layers_pattern\": " + to_text(*pattern) +
                      " is not supported; the layers of this model are in \"" + container + "\"");
  const Json list = found->is_array() ? *found : Json::array({*found});
  if (list.size() > limits::kLayersMax)
    return source.bad("\"layers_to_transform\" lists too many layers");
  for (const Json& each : list) {
    if (!json_holds<int>(each))
      return source.bad("\"layers_to_transform\" is not a list of layers");
    layers.push_back(each.get<int>());
  }
  return layers;
}

template <class T>
Result<std::vector<std::pair<std::string, T>>> read_pattern(const Source& source, const char* key) {
  std::vector<std::pair<std::string, T>> pattern;
  const Json* found = source.find(key);
  if (found == nullptr) return pattern;
  if (!found->is_object() || found->size() > limits::kAdapterPatternsMax)
    return source.bad("\"" + std::string(key) + "\" is not an object with at most " +
                      std::to_string(limits::kAdapterPatternsMax) + " patterns");
  for (const auto& [name, value] : found->items()) {
    if (!json_holds<T>(value) || !std::isfinite(value.template get<float>()))
      return source.bad("\"" + std::string(key) + "\" of \"" + name + "\" is not a number");
    pattern.emplace_back(name, value.template get<T>());
  }
  return pattern;
}

Result<int> read_rank(const Source& source) {
  const Json* rank = source.find("r");
  if (rank == nullptr || !json_holds<int>(*rank) || rank->get<int>() < 1 ||
      rank->get<int>() > limits::kAdapterRankMax)
    return source.bad("\"r\" is not a rank from 1 to " + std::to_string(limits::kAdapterRankMax));
  return rank->get<int>();
}

Json alpha_json(float alpha) {
  const bool whole = alpha == std::floor(alpha) && std::abs(alpha) < 1e6f;
  return whole ? Json(static_cast<int>(alpha)) : Json(alpha);
}

}  // namespace

Result<PeftConfig> parse_peft_config(std::string_view text, const ModelConfig& model,
                                     std::string_view name) {
  TRY_ASSIGN(const Json json, parse_json(text, name));
  const Source source{json, model, name};
  if (!json.is_object()) return source.bad("not a JSON object");
  TRY(check_options(source));
  PeftConfig config;
  AdapterSpec& spec = config.spec;
  TRY_ASSIGN(spec.rank, read_rank(source));
  TRY_ASSIGN(spec.alpha, json_get<float>(json, "lora_alpha", name));
  if (!std::isfinite(spec.alpha)) return source.bad("\"lora_alpha\" is not a finite number");
  TRY_ASSIGN(spec.rslora, json_get_or<bool>(json, "use_rslora", false, name));
  TRY_ASSIGN(spec.targets, read_targets(source));
  TRY_ASSIGN(spec.layers, read_layers(source));
  TRY_ASSIGN(spec.rank_pattern, read_pattern<int>(source, "rank_pattern"));
  TRY_ASSIGN(spec.alpha_pattern, read_pattern<float>(source, "alpha_pattern"));
  TRY_ASSIGN(config.base_model,
             json_get_or<std::string>(json, "base_model_name_or_path", "", name));
  return config;
}

Json peft_config_json(const PeftConfig& config, const ModelConfig& model) {
  const AdapterSpec& spec = config.spec;
  Json targets = spec.targets, ranks = Json::object(), alphas = Json::object();
  if (spec.targets.empty())
    for (const LinearModule& module : linear_modules(model))
      if (std::find(targets.begin(), targets.end(), leaf_of(module.path)) == targets.end())
        targets.push_back(leaf_of(module.path));
  for (const auto& [key, rank] : spec.rank_pattern) ranks[key] = rank;
  for (const auto& [key, alpha] : spec.alpha_pattern) alphas[key] = alpha_json(alpha);
  return Json{
      {"peft_type", "LORA"},
      {"task_type", "CAUSAL_LM"},
      {"base_model_name_or_path", config.base_model},
      {"inference_mode", true},
      {"r", spec.rank},
      {"lora_alpha", alpha_json(spec.alpha)},
      {"lora_dropout", 0.0},
      {"target_modules", targets},
      {"layers_to_transform", spec.layers.empty() ? Json(nullptr) : Json(spec.layers)},
      {"bias", "none"},
      {"fan_in_fan_out", model.architecture == Architecture::kGpt2},
      {"modules_to_save", nullptr},
      {"rank_pattern", ranks},
      {"alpha_pattern", alphas},
      {"use_rslora", spec.rslora},
      {"use_dora", false},
  };
}

}  // namespace freshet
