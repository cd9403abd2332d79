#include "model/model_config.h"

#include <gtest/gtest.h>

#include "base/json.h"

namespace freshet {
namespace {

Json plain() {
  return Json::parse(
      R"({"model_type": "llama", "hidden_size": 64, "intermediate_size": 172, "num_hidden_layers": 5,
    "num_attention_heads": 8, "num_key_value_heads": 4, "vocab_size": 512, "max_position_embeddings": 256,
    "rms_norm_eps": 1e-05, "rope_theta": 500000.0, "tie_word_embeddings": true, "bos_token_id": 3, "eos_token_id": 4})");
}

Result<ModelConfig> parse(const Json& json) {
  return parse_model_config(json.dump(), "config.json");
}

TEST(ModelConfig, ReadsALlama) {
  const auto config = parse(plain());
  ASSERT_TRUE(config) << config.error().what;
  EXPECT_EQ(config->hidden_size, 64);
  EXPECT_EQ(config->intermediate_size, 172);
  EXPECT_EQ(config->layers, 5);
  EXPECT_EQ(config->heads, 8);
  EXPECT_EQ(config->kv_heads, 4);
  EXPECT_EQ(config->head_dim, 8);
  EXPECT_EQ(config->vocab_size, 512);
  EXPECT_EQ(config->max_positions, 256);
  EXPECT_FLOAT_EQ(config->norm_eps, 1e-5f);
  EXPECT_EQ(config->rope_theta, 500000.0);
  EXPECT_TRUE(config->tied_embeddings);
  EXPECT_EQ(config->bos_id, 3);
  EXPECT_EQ(config->eos_ids, std::vector{4});
}

TEST(ModelConfig, TakesTheDefaultsOfLlamaConfig) {
  Json json = plain();
  for (const char* key : {"num_key_value_heads", "rope_theta", "tie_word_embeddings",
                          "bos_token_id", "eos_token_id", "rms_norm_eps"})
    json.erase(key);
  const auto config = parse(json);
  ASSERT_TRUE(config) << config.error().what;
  EXPECT_EQ(config->kv_heads, 8);
  EXPECT_EQ(config->rope_theta, 10000.0);
  EXPECT_FALSE(config->tied_embeddings);
  EXPECT_EQ(config->bos_id, 1);
  EXPECT_EQ(config->eos_ids, std::vector{2});
  EXPECT_FLOAT_EQ(config->norm_eps, 1e-6f);
}

TEST(ModelConfig, ReadsWhatItWrites) {
  auto config = parse(plain());
  ASSERT_TRUE(config);
  config->head_dim = 32;
  config->bos_id = -1;
  const Json written = to_json(*config);
  EXPECT_EQ(written["model_type"], "llama");
  EXPECT_EQ(written["rms_norm_eps"].dump(), "1e-05");
  const auto again = parse(written);
  ASSERT_TRUE(again) << again.error().what;
  EXPECT_EQ(again->head_dim, 32);
  EXPECT_EQ(again->bos_id, -1);
  EXPECT_EQ(again->norm_eps, config->norm_eps);
  EXPECT_EQ(to_json(*again), written);
}

TEST(ModelConfig, ReadsTheNewPlaceOfTheRotaryBase) {
  Json json = plain();
  json.erase("rope_theta");
  json["rope_parameters"] = {{"rope_theta", 1000.0}, {"rope_type", "default"}};
  EXPECT_EQ(parse(json)->rope_theta, 1000.0);
  json["rope_parameters"]["rope_type"] = "yarn";
  EXPECT_NE(parse(json).error().what.find("rope_type \"yarn\""), std::string::npos);
}

TEST(ModelConfig, KeepsEveryEndId) {
  Json json = plain();
  json["eos_token_id"] = {7, 8};
  EXPECT_EQ(parse(json)->eos_ids, (std::vector{7, 8}));
  EXPECT_EQ(to_json(*parse(json))["eos_token_id"], Json({7, 8}));
  json["eos_token_id"] = nullptr;
  EXPECT_TRUE(parse(json)->eos_ids.empty());
}

TEST(ModelConfig, RefusesByNameWhatIsNotImplemented) {
  const std::pair<const char*, Json> options[] = {
      {"model_type", "bert"},
      {"hidden_act", "gelu"},
      {"rope_scaling", {{"type", "dynamic"}, {"factor", 2.0}}},
      {"sliding_window", 4096},
      {"quantization_config", {{"bits", 4}}},
      {"partial_rotary_factor", 0.5},
      {"num_local_experts", 8},
      {"architectures", {"LlamaForSequenceClassification"}},
  };
  for (const auto& [key, value] : options) {
    Json json = plain();
    json[key] = value;
    const auto config = parse(json);
    ASSERT_FALSE(config) << key;
    EXPECT_EQ(config.error().code, Code::kBadInput);
    EXPECT_NE(config.error().what.find(key), std::string::npos) << config.error().what;
    EXPECT_EQ(config.error().what.substr(0, 11), "config.json") << config.error().what;
  }
}

TEST(ModelConfig, RefusesNumbersThatMakeNoModel) {
  const std::pair<const char*, Json> values[] = {
      {"vocab_size", 0},
      {"vocab_size", -1},
      {"vocab_size", 1e30},
      {"vocab_size", 18446744073709551615u},
      {"vocab_size", "512"},
      {"hidden_size", 63},
      {"hidden_size", 1 << 30},
      {"num_hidden_layers", 0},
      {"num_attention_heads", 0},
      {"num_key_value_heads", 3},
      {"head_dim", 7},
      {"rms_norm_eps", 0.0},
      {"rms_norm_eps", 1e-60},
      {"rms_norm_eps", "small"},
      {"rope_theta", 0.0},
      {"rope_theta", -1.0},
      {"bos_token_id", "one"},
      {"tie_word_embeddings", 1},
      {"eos_token_id", 1 << 30},
  };
  for (const auto& [key, value] : values) {
    Json json = plain();
    json[key] = value;
    EXPECT_FALSE(parse(json)) << key << " " << value;
  }
  for (const char* key : {"model_type", "vocab_size", "hidden_size", "intermediate_size",
                          "num_hidden_layers", "num_attention_heads"}) {
    Json json = plain();
    json.erase(key);
    const auto config = parse(json);
    ASSERT_FALSE(config) << key;
    EXPECT_NE(config.error().what.find(key), std::string::npos) << config.error().what;
  }
  EXPECT_FALSE(parse_model_config("[]", "config.json"));
  EXPECT_FALSE(parse_model_config("{", "config.json"));
}

}  // namespace
}  // namespace freshet
