// The tensors of a GGUF as those of a Hugging Face model, and where ours stand in one.

#include <algorithm>

#include "model/files/gguf_model.h"
#include "model/files/gguf_names.h"

namespace freshet {
namespace {

// Kept in the file for llama.cpp alone: rotary angles, which the configuration gives.
bool is_computed(std::string_view name) {
  return name == "rope_freqs.weight" || name.ends_with(".attn_rot_embd.weight");
}

// llama.cpp rotates neighbouring entries of a head in its llama architecture, Hugging Face the two
// halves: the rows of q and k are reordered for it.
int interleaved_heads(const ModelConfig& config, std::string_view weight) {
  if (config.architecture != Architecture::kLlama && config.architecture != Architecture::kMistral)
    return 0;
  if (weight.find(".q_proj.") != std::string_view::npos) return config.heads;
  if (weight.find(".k_proj.") != std::string_view::npos) return config.kv_heads;
  return 0;
}

// GPT-2 keeps its projections as [in, out]; llama.cpp as [out, in].
bool is_transposed(const ModelConfig& config, std::string_view weight) {
  return config.architecture == Architecture::kGpt2 && weight.ends_with(".weight") &&
         weight.find(".c_") != std::string_view::npos;
}

}  // namespace

std::optional<GgufPlace> gguf_place(const ModelConfig& config, std::string_view weight) {
  auto name = gguf_of_weight(config.architecture, weight);
  if (!name) return std::nullopt;
  return GgufPlace{std::move(*name), interleaved_heads(config, weight),
                   is_transposed(config, weight)};
}

Result<std::vector<WeightView>> gguf_weights(const GgufFile& file, const ModelConfig& config) {
  std::vector<WeightView> views;
  for (const GgufTensor& tensor : file.tensors) {
    if (is_computed(tensor.name)) continue;
    auto name = weight_of_gguf(config.architecture, tensor.name);
    if (!name)
      return fail(Code::kBadInput,
                  file.source + ": tensor \"" + std::string(tensor.name.substr(0, 100)) +
                      "\" belongs to no part of a " + std::string(name_of(config.architecture)) +
                      " that Freshet implements");
    WeightView view{std::move(*name), tensor.type, tensor.shape, tensor.bytes, 0, false};
    view.interleaved_heads = interleaved_heads(config, view.name);
    view.transposed = is_transposed(config, view.name);
    if (view.transposed) {
      if (view.shape.size() != 2)
        return fail(Code::kBadInput,
                    file.source + ": tensor \"" + std::string(tensor.name) + "\" is no matrix");
      std::swap(view.shape[0], view.shape[1]);
    }
    const std::int64_t rows = view.shape.empty() ? 0 : view.shape.front();
    if (view.interleaved_heads > 0 && (rows == 0 || rows % (2 * view.interleaved_heads) != 0))
      return fail(Code::kBadInput, file.source + ": tensor \"" + std::string(tensor.name) +
                                       "\" has " + std::to_string(rows) + " rows for " +
                                       std::to_string(view.interleaved_heads) + " heads");
    views.push_back(std::move(view));
  }
  return views;
}

}  // namespace freshet
