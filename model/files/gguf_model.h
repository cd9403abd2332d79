#pragma once
// A model as a GGUF file tells it, in the terms of Hugging Face: configuration and tensors of
// llama.cpp's architectures llama (Mistral too), qwen2, qwen3 and gpt2. An option that changes what
// the model computes and that Freshet does not implement is refused by the name of its key.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/files/gguf.h"
#include "model/files/weights.h"
#include "model/model_config.h"

namespace freshet {

Result<ModelConfig> gguf_config(const GgufFile& file);

// Every tensor by its Hugging Face name; views into what `file` was read from.
Result<std::vector<WeightView>> gguf_weights(const GgufFile& file, const ModelConfig& config);

// How a tensor of ours stands in a GGUF, for writing one.
struct GgufPlace {
  std::string name;  // "blk.3.attn_q.weight"
  int interleaved_heads = 0;
  bool transposed = false;
};
std::optional<GgufPlace> gguf_place(const ModelConfig& config, std::string_view weight);

// What gguf_config() reads; the caller adds the tokenizer and the tensors. For kLlama3 the file
// needs the tensor "rope_freqs.weight" with these divisors of the angles; empty for others.
// kBadInput for windows that differ by layer: a GGUF has no place for them.
Result<void> put_gguf_config(const ModelConfig& config, std::string_view name, GgufWriter& writer);
std::vector<float> gguf_rope_divisors(const ModelConfig& config);

}  // namespace freshet
