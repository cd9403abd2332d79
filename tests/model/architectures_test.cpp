// What each architecture's config.json says, beyond a plain Llama's: windows, biases, rotary
// scaling, GPT-2.

#include <gtest/gtest.h>

#include "base/json.h"
#include "model/model_config.h"

namespace freshet {
namespace {

Json of_type(const char* type) {
  return {{"model_type", type},     {"hidden_size", 64},        {"intermediate_size", 172},
          {"num_hidden_layers", 4}, {"num_attention_heads", 8}, {"num_key_value_heads", 2},
          {"head_dim", 16},         {"vocab_size", 512},        {"max_position_embeddings", 256},
          {"rms_norm_eps", 1e-6},   {"bos_token_id", 1},        {"eos_token_id", 2}};
}

Json gpt2() {
  return {{"model_type", "gpt2"}, {"n_embd", 32},      {"n_layer", 3},      {"n_head", 4},
          {"n_positions", 64},    {"vocab_size", 300}, {"n_inner", nullptr}};
}

ModelConfig parsed(const Json& json) {
  const auto config = parse_model_config(json.dump(), "config.json");
  EXPECT_TRUE(config) << config.error().what;
  return config.value_or(ModelConfig{});
}

std::string refusal(const Json& json) {
  const auto config = parse_model_config(json.dump(), "config.json");
  EXPECT_FALSE(config) << json;
  return config ? "" : config.error().what;
}

#define EXPECT_REFUSED_FOR(json, words) \
  EXPECT_NE(refusal(json).find(words), std::string::npos) << refusal(json)

TEST(Architectures, LlamaMayHaveBiases) {
  Json json = of_type("llama");
  json["attention_bias"] = true;
  ModelConfig config = parsed(json);
  EXPECT_TRUE(config.qkv_bias && config.output_bias && !config.mlp_bias);
  json["mlp_bias"] = true;
  EXPECT_TRUE(parsed(json).mlp_bias);
}

TEST(Architectures, Qwen2AlwaysHasBiasOnQueriesKeysAndValues) {
  const ModelConfig config = parsed(of_type("qwen2"));
  EXPECT_EQ(config.architecture, Architecture::kQwen2);
  EXPECT_TRUE(config.qkv_bias && !config.output_bias && !config.mlp_bias && !config.qk_norm);
  EXPECT_TRUE(config.windows.empty());
}

TEST(Architectures, Qwen3HasNormsAndHeadsOf128UnlessItSaysOtherwise) {
  Json json = of_type("qwen3");
  json.erase("head_dim");
  const ModelConfig config = parsed(json);
  EXPECT_TRUE(config.qk_norm && !config.qkv_bias);
  EXPECT_EQ(config.head_dim, 128);
}

TEST(Architectures, MistralSlidesInEveryLayerAndBy4096IfItDoesNotSay) {
  Json json = of_type("mistral");
  EXPECT_EQ(parsed(json).windows, (std::vector{4096, 4096, 4096, 4096}));
  json["sliding_window"] = nullptr;
  EXPECT_TRUE(parsed(json).windows.empty());
  json["sliding_window"] = 20;
  EXPECT_EQ(parsed(json).window_of(3), 20);
  EXPECT_EQ(parsed(json).window_of(4), 0);
}

TEST(Architectures, QwenSlidesAboveTheLayersThatItNames) {
  Json json = of_type("qwen2");
  json["sliding_window"] = 20;
  EXPECT_TRUE(parsed(json).windows.empty());
  json["use_sliding_window"] = true;
  json["max_window_layers"] = 3;
  EXPECT_EQ(parsed(json).windows, (std::vector{0, 0, 0, 20}));
  json["layer_types"] = {"sliding_attention", "full_attention", "sliding_attention",
                         "full_attention"};
  EXPECT_EQ(parsed(json).windows, (std::vector{20, 0, 20, 0}));
  json["use_sliding_window"] = false;
  EXPECT_REFUSED_FOR(json, "sliding layers");
  json["layer_types"] = {"full_attention"};
  EXPECT_REFUSED_FOR(json, "layer_types");
  json["layer_types"] = {"full_attention", "full_attention", "full_attention", "linear_attention"};
  EXPECT_REFUSED_FOR(json, "linear_attention");
}

TEST(Architectures, ALlamaThatSlidesIsRefused) {
  Json json = of_type("llama");
  json["sliding_window"] = 20;
  EXPECT_REFUSED_FOR(json, "sliding_window");
  json.erase("sliding_window");
  json["layer_types"] = Json::array();
  for (int layer = 0; layer < 4; ++layer) json["layer_types"].push_back("sliding_attention");
  EXPECT_REFUSED_FOR(json, "sliding layers");
}

TEST(Architectures, ReadsRotaryScalingInEitherPlace) {
  const Json llama3 = {{"rope_type", "llama3"},
                       {"factor", 32.0},
                       {"low_freq_factor", 1.0},
                       {"high_freq_factor", 4.0},
                       {"original_max_position_embeddings", 128}};
  Json old = of_type("llama"), renewed = of_type("llama");
  old["rope_scaling"] = llama3;
  old["rope_theta"] = 5e5;
  renewed["rope_parameters"] = llama3;
  renewed["rope_parameters"]["rope_theta"] = 5e5;
  const ModelConfig config = parsed(old);
  EXPECT_EQ(config, parsed(renewed));
  EXPECT_EQ(config.rope, (RopeScaling{RopeScaling::Kind::kLlama3, 32, 1, 4, 128}));
  EXPECT_EQ(config.rope_theta, 5e5);

  old["rope_scaling"] = {{"type", "linear"}, {"factor", 2.5}};
  EXPECT_EQ(parsed(old).rope.kind, RopeScaling::Kind::kLinear);
  EXPECT_EQ(parsed(old).rope.factor, 2.5);
  old["rope_scaling"] = {{"rope_type", "default"}};
  EXPECT_EQ(parsed(old).rope, RopeScaling{});
}

TEST(Architectures, RefusesRotaryScalingThatItDoesNotRun) {
  const std::pair<Json, const char*> cases[] = {
      {{{"type", "yarn"}, {"factor", 2.0}}, "yarn"},
      {{{"rope_type", "linear"}}, "factor"},
      {{{"rope_type", "linear"}, {"factor", 0.5}}, "factor"},
      {{{"rope_type", "linear"}, {"factor", 1e300}}, "factor"},
      {{{"rope_type", "llama3"}, {"factor", 8.0}}, "low_freq_factor"},
      {{{"rope_type", "llama3"},
        {"factor", 8.0},
        {"low_freq_factor", 4.0},
        {"high_freq_factor", 4.0}},
       "high_freq_factor"},
      {{{"rope_type", "default"}, {"partial_rotary_factor", 0.5}}, "partial_rotary_factor"},
      {{{"full_attention", {{"rope_type", "default"}}}}, "full_attention"},
      {"linear", "rope_scaling"},
  };
  for (const auto& [scaling, words] : cases) {
    Json json = of_type("llama");
    json["rope_scaling"] = scaling;
    EXPECT_REFUSED_FOR(json, words);
  }
  Json json = of_type("llama");
  json["rope_theta"] = 1e4;
  json["rope_parameters"] = {{"rope_type", "default"}, {"rope_theta", 1e6}};
  EXPECT_REFUSED_FOR(json, "contradict");
}

TEST(Architectures, ReadsAGpt2) {
  const ModelConfig config = parsed(gpt2());
  EXPECT_EQ(config.architecture, Architecture::kGpt2);
  EXPECT_EQ(config.hidden_size, 32);
  EXPECT_EQ(config.intermediate_size, 128);
  EXPECT_EQ(config.layers, 3);
  EXPECT_EQ(config.kv_heads, 4);
  EXPECT_EQ(config.head_dim, 8);
  EXPECT_EQ(config.max_positions, 64);
  EXPECT_TRUE(config.tied_embeddings);
  EXPECT_TRUE(config.qkv_bias && config.output_bias && config.mlp_bias);
  EXPECT_EQ(config.bos_id, 50256);
}

TEST(Architectures, RefusesAGpt2ThatComputesSomethingElse) {
  const std::pair<const char*, Json> options[] = {
      {"activation_function", "relu"},
      {"scale_attn_weights", false},
      {"scale_attn_by_inverse_layer_idx", true},
      {"add_cross_attention", true},
      {"n_head", 5},
      {"architectures", {"GPT2ForSequenceClassification"}},
  };
  for (const auto& [key, value] : options) {
    Json json = gpt2();
    json[key] = value;
    EXPECT_REFUSED_FOR(json, key);
  }
}

TEST(Architectures, EachReadsWhatItWrites) {
  std::vector<Json> all = {of_type("llama"), of_type("mistral"), of_type("qwen2"), of_type("qwen3"),
                           gpt2()};
  all[0]["rope_scaling"] = {{"type", "linear"}, {"factor", 2.5}};
  all[0]["mlp_bias"] = all[0]["attention_bias"] = true;
  all[1]["sliding_window"] = 20;
  all[2]["use_sliding_window"] = true;
  all[2]["max_window_layers"] = 2;
  all[2]["tie_word_embeddings"] = true;
  for (const Json& json : all) {
    const ModelConfig config = parsed(json);
    EXPECT_EQ(config, parsed(to_json(config))) << json["model_type"];
    EXPECT_EQ(to_json(config)["model_type"], json["model_type"]);
  }
}

}  // namespace
}  // namespace freshet
