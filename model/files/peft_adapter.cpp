#include "model/files/peft_adapter.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "base/check.h"
#include "base/json.h"
#include "model/files/peft_config.h"
#include "model/files/safetensors.h"

namespace freshet {
namespace {

constexpr std::string_view kConfigName = "adapter_config.json",
                           kWeightsName = "adapter_model.safetensors";

std::string key_of(const LayoutEntry& entry) {
  return "base_model.model." + entry.module +
         (entry.factor == Factor::kA ? ".lora_A.weight" : ".lora_B.weight");
}

// Before anything is allocated: what the config asks for is in the file, and nothing else.
Result<void> check_tensors(const Safetensors& file, const Layout& layout, std::string_view source) {
  std::set<std::string, std::less<>> known;
  for (const LayoutEntry& entry : layout.entries) {
    const std::string key = key_of(entry);
    const TensorView* tensor = file.find(key);
    if (tensor == nullptr)
      return fail(Code::kBadInput, std::string(source) + ": no tensor \"" + key + "\"");
    if (tensor->shape != std::vector<std::int64_t>{entry.rows, entry.columns})
      return fail(Code::kBadInput, std::string(source) + ": tensor \"" + key + "\" is not " +
                                       std::to_string(entry.rows) + " x " +
                                       std::to_string(entry.columns) +
                                       "; this adapter is of another model");
    known.insert(key);
  }
  for (const TensorView& tensor : file.tensors)
    if (!known.contains(tensor.name))
      return fail(Code::kBadInput, std::string(source) + ": tensor \"" + tensor.name +
                                       "\" belongs to no target module of this model");
  return {};
}

Result<std::vector<float>> read_values(const Safetensors& file, const Layout& layout,
                                       std::string_view source) {
  TRY(check_tensors(file, layout, source));
  std::vector<float> values(layout.size);
  for (const LayoutEntry& entry : layout.entries) {
    TRY_ASSIGN(const std::vector<float> read, to_f32(*file.find(key_of(entry))));
    if (!std::all_of(read.begin(), read.end(), [](float value) { return std::isfinite(value); }))
      return fail(Code::kBadInput,
                  std::string(source) + ": tensor \"" + key_of(entry) + "\" holds NaN or infinity");
    std::copy(read.begin(), read.end(), values.begin() + static_cast<std::ptrdiff_t>(entry.offset));
  }
  return values;
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
  TRY_ASSIGN(PeftConfig read, parse_peft_config(as_text(json.view()), config, files.config.name));
  PeftAdapter adapter{std::move(read.spec), {}, std::move(read.base_model)};
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
  return write_file_durably(
      folder / kConfigName,
      as_bytes(to_text(peft_config_json({adapter.spec, adapter.base_model}, config), 2) + "\n"));
}

}  // namespace freshet
