#include "trainer/torch/llama.h"

#include <cmath>

#include "base/rng.h"
#include "model/files/safetensors.h"
#include "trainer/transformer/transformer.h"

namespace freshet {
namespace {

constexpr std::array<const char*, kProjections> kModuleNames = {
    "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
    "mlp.gate_proj",    "mlp.up_proj",      "mlp.down_proj"};

std::vector<std::int64_t> projection_shape(const ModelConfig& config, Projection projection) {
  const std::int64_t wide = std::int64_t{config.heads} * config.head_dim, c = config.hidden_size;
  const std::int64_t narrow = std::int64_t{config.kv_heads} * config.head_dim,
                     f = config.intermediate_size;
  switch (projection) {
    case kQ: return {wide, c};
    case kK:
    case kV: return {narrow, c};
    case kO: return {c, wide};
    case kGate:
    case kUp: return {f, c};
    default: return {c, f};
  }
}

std::string module_name(std::size_t layer, std::size_t projection) {
  return "model.layers." + std::to_string(layer) + "." + kModuleNames[projection];
}

Result<at::Tensor> tensor_of(const TensorView& view, const NamedWeight& weight,
                             const std::string& source) {
  if (view.shape != weight.shape)
    return fail(Code::kBadInput, source + ": tensor \"" + weight.name +
                                     "\" does not have the shape that config.json " +
                                     "gives it; the two files are not of one model");
  TRY_ASSIGN(std::vector<float> values, to_f32(view));
  at::Tensor tensor = at::empty(weight.shape);
  std::copy(values.begin(), values.end(), tensor.data_ptr<float>());
  return tensor;
}

RotaryTable rotary_of(const ModelConfig& config) {
  Rotary rotary = make_rotary(config, config.max_positions);
  const std::int64_t half = config.head_dim / 2;
  const auto table = [&](std::vector<float>& values) {
    return at::from_blob(values.data(), {config.max_positions, half}).clone();
  };
  return {table(rotary.cosine), table(rotary.sine)};
}

}  // namespace

std::vector<NamedWeight> named_weights(Llama& llama) {
  const ModelConfig& config = llama.config;
  const std::int64_t c = config.hidden_size, v = config.vocab_size;
  std::vector<NamedWeight> weights = {{"model.embed_tokens.weight", &llama.embedding, {v, c}}};
  for (std::size_t l = 0; l < llama.layers.size(); ++l) {
    LlamaLayer& layer = llama.layers[l];
    const std::string prefix = "model.layers." + std::to_string(l) + ".";
    weights.push_back({prefix + "input_layernorm.weight", &layer.input_norm, {c}});
    weights.push_back({prefix + "post_attention_layernorm.weight", &layer.post_norm, {c}});
    for (std::size_t p = 0; p < kProjections; ++p)
      weights.push_back({module_name(l, p) + ".weight", &layer.projections[p],
                         projection_shape(config, static_cast<Projection>(p))});
  }
  weights.push_back({"model.norm.weight", &llama.norm, {c}});
  if (!config.tied_embeddings) weights.push_back({"lm_head.weight", &llama.head, {v, c}});
  return weights;
}

Result<void> check_plain(const ModelConfig& config, const std::string& source) {
  const bool plain = config.architecture == Architecture::kLlama &&
                     config.rope.kind == RopeScaling::Kind::kNone && !config.qkv_bias &&
                     !config.output_bias && !config.mlp_bias;
  if (plain) return {};
  return fail(Code::kBadInput,
              source + ": a " + std::string(name_of(config.architecture)) +
                  " model or one with biases or scaled positions; " +
                  "all weights are trained of plain Llama models alone, of others an adapter");
}

Result<Llama> load_llama(const ModelConfig& config, ByteView safetensors,
                         const std::string& source) {
  TRY(check_plain(config, source));
  TRY_ASSIGN(const Safetensors file, read_safetensors(safetensors, source));
  Llama llama;
  llama.config = config;
  llama.layers.resize(static_cast<std::size_t>(config.layers));
  for (NamedWeight& weight : named_weights(llama)) {
    const TensorView* view = file.find(weight.name);
    if (view == nullptr)
      return fail(Code::kBadInput,
                  source + ": no tensor \"" + weight.name + "\"; is the download complete?");
    TRY_ASSIGN(*weight.tensor, tensor_of(*view, weight, source));
  }
  if (config.tied_embeddings) llama.head = llama.embedding;
  llama.rotary = rotary_of(config);
  return llama;
}

Llama random_llama(const ModelConfig& config, std::uint64_t seed) {
  Llama llama;
  llama.config = config;
  llama.layers.resize(static_cast<std::size_t>(config.layers));
  const float residual = 1.0f / std::sqrt(2.0f * static_cast<float>(config.layers));
  std::uint64_t stream = 0;
  for (NamedWeight& weight : named_weights(llama)) {
    *weight.tensor = at::ones(weight.shape);
    if (weight.shape.size() == 1) continue;
    const bool into_residual = weight.name.find("o_proj") != std::string::npos ||
                               weight.name.find("down_proj") != std::string::npos;
    Rng rng(seed, stream++);
    float* values = weight.tensor->data_ptr<float>();
    for (std::int64_t i = 0; i < weight.tensor->numel(); ++i)
      values[i] = static_cast<float>(rng.normal()) * 0.02f * (into_residual ? residual : 1.0f);
  }
  if (config.tied_embeddings) llama.head = llama.embedding;
  llama.rotary = rotary_of(config);
  return llama;
}

at::Tensor hidden_states(const Llama& llama, const at::Tensor& ids, Products products) {
  const ModelConfig& config = llama.config;
  const kernels::AttentionShape shape{static_cast<int>(ids.size(1)), config.heads, config.kv_heads,
                                      config.head_dim};
  at::Tensor x = at::embedding(llama.embedding, ids.reshape({-1}));  // [N,C]
  for (const LlamaLayer& layer : llama.layers) {
    auto project = [&](const at::Tensor& input, Projection p) {
      return linear(input, layer.projections[p], products);
    };
    at::Tensor h = rms_norm(x, layer.input_norm, config.norm_eps);  // [N,C]
    const at::Tensor mixed =
        causal_attention(project(h, kQ), project(h, kK), project(h, kV), llama.rotary, shape);
    x = x + project(mixed, kO);                                          // [N,C]
    h = rms_norm(x, layer.post_norm, config.norm_eps);                   // [N,C]
    x = x + project(swiglu(project(h, kGate), project(h, kUp)), kDown);  // [N,C]
  }
  return rms_norm(x, llama.norm, config.norm_eps);
}

}  // namespace freshet
