#include "model/modules.h"

namespace freshet {
namespace {

using Shapes = std::vector<WeightShape>;

void add_linear(Shapes& shapes, const std::string& prefix, const LinearModule& module) {
  const std::string name = prefix + std::string(module.path);
  if (module.transposed)
    shapes.push_back({name + ".weight", {module.in, module.out}, false});
  else
    shapes.push_back({name + ".weight", {module.out, module.in}, false});
  if (module.bias) shapes.push_back({name + ".bias", {module.out}, false});
}

void add_layer_norm(Shapes& shapes, const std::string& name, int size) {
  shapes.push_back({name + ".weight", {size}, false});
  shapes.push_back({name + ".bias", {size}, false});
}

Shapes gpt2_shapes(const ModelConfig& config) {
  const int c = config.hidden_size;
  Shapes shapes = {{"transformer.wte.weight", {config.vocab_size, c}, false},
                   {"transformer.wpe.weight", {config.max_positions, c}, false}};
  const std::vector<LinearModule> modules = linear_modules(config);
  for (int layer = 0; layer < config.layers; ++layer) {
    const std::string prefix = layer_prefix(config, layer);
    add_layer_norm(shapes, prefix + "ln_1", c);
    add_linear(shapes, prefix, modules[0]);
    add_linear(shapes, prefix, modules[1]);
    add_layer_norm(shapes, prefix + "ln_2", c);
    add_linear(shapes, prefix, modules[2]);
    add_linear(shapes, prefix, modules[3]);
  }
  add_layer_norm(shapes, "transformer.ln_f", c);
  return shapes;
}

Shapes llama_shapes(const ModelConfig& config) {
  const int c = config.hidden_size;
  Shapes shapes = {{"model.embed_tokens.weight", {config.vocab_size, c}, false}};
  const std::vector<LinearModule> modules = linear_modules(config);
  for (int layer = 0; layer < config.layers; ++layer) {
    const std::string prefix = layer_prefix(config, layer);
    shapes.push_back({prefix + "input_layernorm.weight", {c}, false});
    for (const LinearModule& module : modules) {
      if (module.path == "mlp.gate_proj")
        shapes.push_back({prefix + "post_attention_layernorm.weight", {c}, false});
      add_linear(shapes, prefix, module);
      if (config.qk_norm && module.path == "self_attn.v_proj")
        for (const char* norm : {"self_attn.q_norm.weight", "self_attn.k_norm.weight"})
          shapes.push_back({prefix + norm, {config.head_dim}, false});
    }
  }
  shapes.push_back({"model.norm.weight", {c}, false});
  return shapes;
}

}  // namespace

std::vector<LinearModule> linear_modules(const ModelConfig& config) {
  const int hidden = config.hidden_size, inner = config.intermediate_size;
  const int queries = config.heads * config.head_dim, keys = config.kv_heads * config.head_dim;
  if (config.architecture == Architecture::kGpt2)
    return {{"attn.c_attn", hidden, 3 * hidden, true, true},
            {"attn.c_proj", hidden, hidden, true, true},
            {"mlp.c_fc", hidden, inner, true, true},
            {"mlp.c_proj", inner, hidden, true, true}};
  return {{"self_attn.q_proj", hidden, queries, config.qkv_bias, false},
          {"self_attn.k_proj", hidden, keys, config.qkv_bias, false},
          {"self_attn.v_proj", hidden, keys, config.qkv_bias, false},
          {"self_attn.o_proj", queries, hidden, config.output_bias, false},
          {"mlp.gate_proj", hidden, inner, config.mlp_bias, false},
          {"mlp.up_proj", hidden, inner, config.mlp_bias, false},
          {"mlp.down_proj", inner, hidden, config.mlp_bias, false}};
}

std::string layer_prefix(const ModelConfig& config, int layer) {
  const bool gpt2 = config.architecture == Architecture::kGpt2;
  return (gpt2 ? "transformer.h." : "model.layers.") + std::to_string(layer) + ".";
}

std::vector<WeightShape> weight_shapes(const ModelConfig& config) {
  Shapes shapes =
      config.architecture == Architecture::kGpt2 ? gpt2_shapes(config) : llama_shapes(config);
  shapes.push_back(
      {"lm_head.weight", {config.vocab_size, config.hidden_size}, config.tied_embeddings});
  return shapes;
}

}  // namespace freshet
