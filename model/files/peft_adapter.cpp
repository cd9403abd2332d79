#include "model/files/peft_adapter.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/json.h"
#include "base/limits.h"
#include "model/files/safetensors.h"

namespace freshet {
namespace {

constexpr std::string_view kConfigName = "adapter_config.json",
                           kWeightsName = "adapter_model.safetensors";
constexpr std::string_view kTargets[] = {"q_proj",    "k_proj",  "v_proj",   "o_proj",
                                         "gate_proj", "up_proj", "down_proj"};

// Options that change nothing about what a finished adapter computes, whatever their value.
constexpr std::string_view kHarmless[] = {
    "auto_mapping",
    "base_model_name_or_path",
    "inference_mode",
    "lora_alpha",
    "lora_dropout",
    "megatron_core",
    "peft_version",
    "qalora_group_size",
    "r",
    "revision",
    "target_modules",
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

// Every other option must be off: PEFT adds variants of LoRA as new options.
Result<void> check_options(const Json& json, std::string_view source) {
  for (const auto& [key, value] : json.items()) {
    if (std::find(std::begin(kHarmless), std::end(kHarmless), key) != std::end(kHarmless) ||
        is_off(value))
      continue;
    if (key == "init_lora_weights" && (value == true || value == "gaussian")) continue;
    const auto fixed = std::find_if(std::begin(kFixed), std::end(kFixed),
                                    [&](FixedOption option) { return option.key == key; });
    if (fixed != std::end(kFixed) && value == fixed->only) continue;
    return fail(Code::kBadInput,
                std::string(source) + ": \"" + key + "\": " + to_text(value) +
                    " is not supported; Freshet reads plain LoRA adapters without it");
  }
  TRY_ASSIGN(const std::string type, json_get<std::string>(json, "peft_type", source));
  return {};
}

Result<std::vector<std::string>> read_targets(const Json& json, std::string_view source) {
  const auto found = json.find("target_modules");
  if (found != json.end() && *found == "all-linear") return std::vector<std::string>{};
  if (found == json.end() || !found->is_array() || found->empty())
    return fail(Code::kBadInput,
                std::string(source) + ": \"target_modules\" is not a list of module names");
  TRY_ASSIGN(const auto names, json_get<std::vector<std::string>>(json, "target_modules", source));
  for (const std::string& name : names)
    if (std::find(std::begin(kTargets), std::end(kTargets), name) == std::end(kTargets))
      return fail(Code::kBadInput, std::string(source) + ": target module \"" + name +
                                       "\" is not supported; Freshet adapts q_proj k_proj v_proj "
                                       "o_proj gate_proj up_proj down_proj");
  std::vector<std::string> targets;
  for (std::string_view target : kTargets)
    if (std::find(names.begin(), names.end(), target) != names.end()) targets.emplace_back(target);
  if (targets.size() == std::size(kTargets)) targets.clear();
  return targets;
}

Result<PeftAdapter> parse_config(std::string_view text, std::string_view source) {
  TRY_ASSIGN(const Json json, parse_json(text, source));
  if (!json.is_object()) return fail(Code::kBadInput, std::string(source) + ": not a JSON object");
  TRY(check_options(json, source));
  PeftAdapter adapter;
  const auto rank = json.find("r");
  if (rank == json.end() || !rank->is_number_unsigned() ||
      rank->get<std::uint64_t>() > limits::kAdapterRankMax || *rank == 0)
    return fail(Code::kBadInput, std::string(source) + ": \"r\" is not a rank from 1 to " +
                                     std::to_string(limits::kAdapterRankMax));
  adapter.spec.rank = rank->get<int>();
  TRY_ASSIGN(adapter.spec.alpha, json_get<float>(json, "lora_alpha", source));
  if (!std::isfinite(adapter.spec.alpha))
    return fail(Code::kBadInput, std::string(source) + ": \"lora_alpha\" is not a finite number");
  TRY_ASSIGN(adapter.spec.targets, read_targets(json, source));
  TRY_ASSIGN(adapter.base_model,
             json_get_or<std::string>(json, "base_model_name_or_path", "", source));
  return adapter;
}

std::string key_of(const LayoutEntry& entry) {
  return "base_model.model." + entry.module +
         (entry.factor == Factor::kA ? ".lora_A.weight" : ".lora_B.weight");
}

Result<std::vector<float>> read_values(const Safetensors& file, const Layout& layout,
                                       std::string_view source) {
  std::vector<float> values(layout.size);
  for (const LayoutEntry& entry : layout.entries) {
    const TensorView* tensor = file.find(key_of(entry));
    if (tensor == nullptr)
      return fail(Code::kBadInput, std::string(source) + ": no tensor \"" + key_of(entry) + "\"");
    if (tensor->shape != std::vector<std::int64_t>{entry.rows, entry.columns})
      return fail(Code::kBadInput, std::string(source) + ": tensor \"" + key_of(entry) +
                                       "\" is not " + std::to_string(entry.rows) + " x " +
                                       std::to_string(entry.columns) +
                                       "; this adapter is of another model");
    TRY_ASSIGN(const std::vector<float> read, to_f32(*tensor));
    if (!std::all_of(read.begin(), read.end(), [](float value) { return std::isfinite(value); }))
      return fail(Code::kBadInput,
                  std::string(source) + ": tensor \"" + key_of(entry) + "\" holds NaN or infinity");
    std::copy(read.begin(), read.end(), values.begin() + static_cast<std::ptrdiff_t>(entry.offset));
  }
  for (const TensorView& tensor : file.tensors)
    if (std::none_of(layout.entries.begin(), layout.entries.end(),
                     [&](const LayoutEntry& entry) { return key_of(entry) == tensor.name; }))
      return fail(Code::kBadInput, std::string(source) + ": tensor \"" + tensor.name +
                                       "\" belongs to no target module of this model");
  return values;
}

Json config_json(const PeftAdapter& adapter) {
  Json targets = Json::array();
  for (std::string_view target : kTargets)
    if (adapter.spec.targets.empty() ||
        std::find(adapter.spec.targets.begin(), adapter.spec.targets.end(), target) !=
            adapter.spec.targets.end())
      targets.push_back(target);
  const float alpha = adapter.spec.alpha;
  const bool whole = alpha == std::floor(alpha) && std::abs(alpha) < 1e6f;
  return Json{
      {"peft_type", "LORA"},
      {"task_type", "CAUSAL_LM"},
      {"base_model_name_or_path", adapter.base_model},
      {"inference_mode", true},
      {"r", adapter.spec.rank},
      {"lora_alpha", whole ? Json(static_cast<int>(alpha)) : Json(alpha)},
      {"lora_dropout", 0.0},
      {"target_modules", targets},
      {"bias", "none"},
      {"fan_in_fan_out", false},
      {"modules_to_save", nullptr},
      {"rank_pattern", Json::object()},
      {"alpha_pattern", Json::object()},
      {"use_rslora", false},
      {"use_dora", false},
  };
}

Result<OpenFile> open_one(const Path& folder, std::string_view name) {
  const Path path = folder / name;
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored))
    return fail(Code::kBadInput, folder.string() + ": no " + std::string(name) +
                                     "; an adapter folder holds adapter_config.json and "
                                     "adapter_model.safetensors, as PEFT writes them");
  OpenFile file;
  file.name = path.string();
  TRY_ASSIGN(file.fd, open_for_reading(path));
  return file;
}

}  // namespace

Result<PeftFiles> open_peft_folder(const Path& folder) {
  PeftFiles files;
  TRY_ASSIGN(files.config, open_one(folder, kConfigName));
  TRY_ASSIGN(files.weights, open_one(folder, kWeightsName));
  return files;
}

Result<PeftAdapter> read_peft_adapter(const PeftFiles& files, const ModelConfig& config) {
  TRY_ASSIGN(const MappedFile json, MappedFile::of(files.config.fd, files.config.name));
  TRY_ASSIGN(PeftAdapter adapter, parse_config(as_text(json.view()), files.config.name));
  Result<Layout> layout = adapter_layout(config, adapter.spec);
  if (!layout) return fail_in(files.config.name, layout.error());
  TRY_ASSIGN(const MappedFile weights, MappedFile::of(files.weights.fd, files.weights.name));
  TRY_ASSIGN(const Safetensors tensors, read_safetensors(weights.view(), files.weights.name));
  TRY_ASSIGN(adapter.values, read_values(tensors, *layout, files.weights.name));
  return adapter;
}

Result<void> write_peft_folder(const Path& folder, const ModelConfig& config,
                               const PeftAdapter& adapter) {
  TRY_ASSIGN(const Layout layout, adapter_layout(config, adapter.spec));
  CHECK(adapter.values.size() == layout.size, "{} {}", adapter.values.size(), layout.size);
  std::vector<TensorToWrite> tensors;
  for (const LayoutEntry& entry : layout.entries)
    tensors.push_back({key_of(entry),
                       {entry.rows, entry.columns},
                       std::span(adapter.values).subspan(entry.offset, entry.size())});
  TRY(make_folders(folder));
  TRY(write_file_durably(folder / kWeightsName, write_safetensors(tensors, Dtype::kF32)));
  return write_file_durably(folder / kConfigName,
                            as_bytes(to_text(config_json(adapter), 2) + "\n"));
}

}  // namespace freshet
