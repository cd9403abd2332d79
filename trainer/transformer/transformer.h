#pragma once
// A causal language model ready to compute on the processor: Llama, Mistral, Qwen2, Qwen3 or GPT-2,
// its frozen weights in the form that was asked for. A matrix that its file holds in that form
// already stays where the file is mapped: nothing is copied. No LibTorch; the passes over it are in
// pass.h and decoder.h.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "model/files/weights.h"
#include "model/model_config.h"
#include "model/modules.h"
#include "trainer/kernels/product.h"
#include "trainer/transformer/memory.h"

namespace freshet {

// The form of the frozen matrices, and with it how products are made: kBf16 rounds both factors to
// bf16 where the processor multiplies it and computes in f32 elsewhere; kInt8 and kNf4 save memory
// and multiply like kBf16. Embedding and head stay in bf16 there.
enum class Precision : std::uint8_t { kF32, kBf16, kInt8, kNf4 };
std::string_view name_of(Precision precision);  // "f32", "bf16", "int8", "nf4"

struct Norm {
  std::vector<float> weight, bias;  // [C]; bias empty: RMS norm
};

struct Linear {
  kernels::Matrix matrix;  // [out, in]; [in, out] where by_input
  bool by_input = false;
  std::vector<float> bias;  // [out], or empty
  std::int64_t in() const { return by_input ? matrix.rows : matrix.columns; }
  std::int64_t out() const { return by_input ? matrix.columns : matrix.rows; }
};

struct Layer {
  Norm attention_norm, mlp_norm;
  std::vector<float> q_norm, k_norm;  // [D]; empty: none
  std::vector<Linear> linears;        // as linear_modules() orders them
};

struct Transformer {
  ModelConfig config;
  Precision precision = Precision::kF32;
  kernels::Matrix embedding, head;  // [V,C]
  std::vector<float> positions;     // [max_positions,C], learned; empty: rotary
  Norm norm;
  std::vector<Layer> layers;
  std::uint64_t parameters = 0;

  std::shared_ptr<const Weights> mapped;  // what matrices may point into
  std::vector<Memory<std::uint8_t>> owned;

  bool bf16_products() const { return precision != Precision::kF32 && kernels::multiplies_bf16(); }
  // Attention too: its entries go in pairs.
  bool bf16_heads() const { return bf16_products() && config.head_dim % 2 == 0; }
  bool fused_qkv() const { return config.architecture == Architecture::kGpt2; }
};

// The rotary angles of the first `count` positions, [count, D/2] each; empty for learned positions.
struct Rotary {
  std::vector<float> cosine, sine;
};
Rotary make_rotary(const ModelConfig& config, int count);

// That of the file, so that nothing is lost and as little memory is read as can be: kBf16 for bf16
// and for blocks of fewer bits, kF32 where a matrix is in f32 or f16.
Precision own_precision(const Weights& weights);

// kBadInput naming the tensor and the reason where one is missing or has another shape than config
// says.
Result<Transformer> load_transformer(const ModelConfig& config,
                                     std::shared_ptr<const Weights> weights, Precision precision);

}  // namespace freshet
