#pragma once
// A Llama-shaped causal language model (Touvron et al. 2023): its weights as tensors, its adapter, its forward pass.
// Loading copies every weight once into f32. No training here: finetune.h, pretrain.h, distill.h.

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "base/files.h"
#include "model/adapter.h"
#include "model/model_config.h"
#include "trainer/ops.h"

namespace freshet {

enum Projection : std::size_t { kQ, kK, kV, kO, kGate, kUp, kDown, kProjections };

struct LlamaLayer {
  at::Tensor input_norm, post_norm;                 // [C]
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

// kBadInput naming file, tensor and reason.
Result<Llama> load_llama(const ModelConfig& config, ByteView safetensors, const std::string& source);

// Normal(0, 0.02), residual outputs scaled by 1/sqrt(2 layers), norms one (as GPT-2 was initialised).
Llama random_llama(const ModelConfig& config, std::uint64_t seed);

// An adapter as tensors over one flat vector that it owns; only the chosen factors are leaves that get gradients.
class LoraAdapter {
 public:
  // REQUIRES: values empty (a zero adapter: no factors at all) or of adapter_layout()'s size.
  LoraAdapter(const ModelConfig& config, const AdapterSpec& spec, Layout layout, std::vector<float> values, bool train_a,
              bool train_b);
  LoraAdapter(LoraAdapter&&) = default;

  const LoraFactors& factors(std::size_t layer, Projection projection) const;
  struct Trained {
    at::Tensor tensor;   // view of values()
    std::size_t offset;  // in values()
  };
  const std::vector<Trained>& trained() const { return trained_; }
  std::vector<float>& values() { return values_; }

 private:
  std::vector<float> values_;
  std::vector<std::array<LoraFactors, kProjections>> layers_;
  std::vector<Trained> trained_;
};

// ids [B,T] of int64 -> normalised hidden states [B*T,C]. `lora` may be null.
at::Tensor hidden_states(const Llama& llama, const at::Tensor& ids, const LoraAdapter* lora, Precision precision);

// h [N,C] -> [N,V]
at::Tensor logits_of(const Llama& llama, const at::Tensor& h, Precision precision);

}  // namespace freshet
