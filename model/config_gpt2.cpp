#include "base/limits.h"
#include "model/config_fields.h"

namespace freshet::config {

Result<ModelConfig> read_gpt2(const Source& source) {
  TRY(check_class(source, "GPT2LMHeadModel"));
  TRY(check_fixed(source, {{"activation_function", "gelu_new"},
                           {"scale_attn_weights", true},
                           {"scale_attn_by_inverse_layer_idx", false},
                           {"add_cross_attention", false},
                           {"is_encoder_decoder", false},
                           {"quantization_config", nullptr}}));
  ModelConfig config;
  config.architecture = Architecture::kGpt2;
  TRY_ASSIGN(config.vocab_size, int_or(source, "vocab_size", 50257, {1, limits::kVocabularyMax}));
  TRY_ASSIGN(config.hidden_size, int_or(source, "n_embd", 768, kHiddenSizes));
  TRY_ASSIGN(config.layers, int_or(source, "n_layer", 12, kLayerCounts));
  TRY_ASSIGN(config.heads, int_or(source, "n_head", 12, kHeadCounts));
  TRY_ASSIGN(config.intermediate_size,
             int_or(source, "n_inner", 4 * config.hidden_size, kInnerSizes));
  TRY_ASSIGN(config.max_positions, int_or(source, "n_positions", 1024, kPositionCounts));
  TRY_ASSIGN(config.norm_eps, eps_of(source, "layer_norm_epsilon", 1e-5));
  TRY_ASSIGN(config.tied_embeddings,
             json_get_or<bool>(source.json, "tie_word_embeddings", true, source.name));
  TRY_ASSIGN(config.bos_id, id_of(source, "bos_token_id", 50256));
  TRY_ASSIGN(config.eos_ids, ids_of(source, "eos_token_id", {50256}));
  if (config.hidden_size % config.heads != 0)
    return bad(source, "n_embd is not a multiple of n_head");
  config.kv_heads = config.heads;
  config.head_dim = config.hidden_size / config.heads;
  config.qkv_bias = config.output_bias = config.mlp_bias = true;
  return config;
}

Json write_gpt2(const ModelConfig& config) {
  return Json{
      {"architectures", {"GPT2LMHeadModel"}},
      {"model_type", "gpt2"},
      {"n_embd", config.hidden_size},
      {"n_inner", config.intermediate_size},
      {"n_layer", config.layers},
      {"n_head", config.heads},
      {"n_positions", config.max_positions},
      {"vocab_size", config.vocab_size},
      {"layer_norm_epsilon", decimal(config.norm_eps)},
      {"activation_function", "gelu_new"},
      {"tie_word_embeddings", config.tied_embeddings},
      {"bos_token_id", id_or_null(config.bos_id)},
      {"eos_token_id", ids_or_null(config.eos_ids)},
      {"torch_dtype", "bfloat16"},
  };
}

}  // namespace freshet::config
