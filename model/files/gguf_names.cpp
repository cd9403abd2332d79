#include "model/files/gguf_names.h"

#include <algorithm>
#include <span>

namespace freshet {
namespace {

struct Pair {
  std::string_view gguf, ours;  // without ".weight" or ".bias"
};

constexpr Pair kLlama[] = {
    {"token_embd", "model.embed_tokens"}, {"output_norm", "model.norm"}, {"output", "lm_head"}};
constexpr Pair kLlamaLayer[] = {
    {"attn_norm", "input_layernorm"},    {"ffn_norm", "post_attention_layernorm"},
    {"attn_q", "self_attn.q_proj"},      {"attn_k", "self_attn.k_proj"},
    {"attn_v", "self_attn.v_proj"},      {"attn_output", "self_attn.o_proj"},
    {"attn_q_norm", "self_attn.q_norm"}, {"attn_k_norm", "self_attn.k_norm"},
    {"ffn_gate", "mlp.gate_proj"},       {"ffn_up", "mlp.up_proj"},
    {"ffn_down", "mlp.down_proj"}};

constexpr Pair kGpt2[] = {{"token_embd", "transformer.wte"},
                          {"position_embd", "transformer.wpe"},
                          {"output_norm", "transformer.ln_f"},
                          {"output", "lm_head"}};
constexpr Pair kGpt2Layer[] = {{"attn_norm", "ln_1"},       {"ffn_norm", "ln_2"},
                               {"attn_qkv", "attn.c_attn"}, {"attn_output", "attn.c_proj"},
                               {"ffn_up", "mlp.c_fc"},      {"ffn_down", "mlp.c_proj"}};

struct Names {
  std::span<const Pair> whole, layer;
  std::string_view layers;  // before the number of a layer
};
Names names_of(Architecture architecture) {
  if (architecture == Architecture::kGpt2) return {kGpt2, kGpt2Layer, "transformer.h."};
  return {kLlama, kLlamaLayer, "model.layers."};
}

// "3.attn_q" to "3" and "attn_q"; an empty number where it is not one.
std::pair<std::string_view, std::string_view> numbered(std::string_view text) {
  const std::size_t dot = text.find('.');
  const std::string_view number = text.substr(0, dot);
  const bool digits =
      dot != std::string_view::npos && !number.empty() && number.size() <= 6 &&
      std::all_of(number.begin(), number.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!digits) return {};
  return {number, text.substr(dot + 1)};
}

using Side = std::string_view Pair::*;

std::optional<std::string> translate(const Names& names, std::string_view name, Side from,
                                     Side to) {
  const std::size_t dot = name.rfind('.');
  if (dot == std::string_view::npos) return std::nullopt;
  const std::string_view end = name.substr(dot);
  if (end != ".weight" && end != ".bias") return std::nullopt;
  const std::string_view stem = name.substr(0, dot);
  for (const Pair& pair : names.whole)
    if (pair.*from == stem) return std::string(pair.*to) + std::string(end);

  const bool from_gguf = from == &Pair::gguf;
  const std::string_view before = from_gguf ? "blk." : names.layers;
  if (!stem.starts_with(before)) return std::nullopt;
  const auto [number, path] = numbered(stem.substr(before.size()));
  if (number.empty()) return std::nullopt;
  for (const Pair& pair : names.layer)
    if (pair.*from == path)
      return std::string(from_gguf ? names.layers : "blk.") + std::string(number) + "." +
             std::string(pair.*to) + std::string(end);
  return std::nullopt;
}

}  // namespace

std::optional<std::string> weight_of_gguf(Architecture architecture, std::string_view name) {
  return translate(names_of(architecture), name, &Pair::gguf, &Pair::ours);
}

std::optional<std::string> gguf_of_weight(Architecture architecture, std::string_view name) {
  return translate(names_of(architecture), name, &Pair::ours, &Pair::gguf);
}

}  // namespace freshet
