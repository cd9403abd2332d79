#pragma once
// A Llama-shaped causal language model (Touvron et al. 2023) whose weights are trained: tensors in
// f32 on the processor, and the forward pass over ops.h. Models that stay as they are, of any
// architecture, are transformer/'s.

#include <array>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "model/model_config.h"
#include "trainer/torch/ops.h"

namespace freshet {

enum Projection : std::size_t { kQ, kK, kV, kO, kGate, kUp, kDown, kProjections };

struct LlamaLayer {
  at::Tensor input_norm, post_norm;                  // [C]
  std::array<at::Tensor, kProjections> projections;  // [out,in]
};

struct Llama {
  ModelConfig config;
  at::Tensor embedding, norm, head;  // [V,C], [C], [V,C]; head is embedding where they are tied
  std::vector<LlamaLayer> layers;
  RotaryTable rotary;
};

// Every weight with its Hugging Face name and expected shape, in the order of the file.
struct NamedWeight {
  std::string name;
  at::Tensor* tensor;
  std::vector<std::int64_t> shape;
};
std::vector<NamedWeight> named_weights(Llama& llama);

// kBadInput for a model that is not plain: of another architecture, with biases, or with scaled
// positions.
Result<void> check_plain(const ModelConfig& config, const std::string& source);

// kBadInput naming file, tensor and reason.
Result<Llama> load_llama(const ModelConfig& config, ByteView safetensors,
                         const std::string& source);

// Normal(0, 0.02), residual outputs scaled by 1/sqrt(2 layers), norms one (as GPT-2 was
// initialised).
Llama random_llama(const ModelConfig& config, std::uint64_t seed);

// ids [B,T] of int64 -> normalised hidden states [B*T,C].
at::Tensor hidden_states(const Llama& llama, const at::Tensor& ids, Products products);

}  // namespace freshet
