#include "model/files/peft_adapter.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/json.h"
#include "base/rng.h"
#include "model/files/safetensors.h"
#include "tests/temp_folder.h"

namespace freshet {
namespace {

ModelConfig small() {
  ModelConfig config;
  config.hidden_size = 12;
  config.intermediate_size = 20;
  config.layers = 2;
  config.heads = 4;
  config.kv_heads = 2;
  config.head_dim = 4;
  config.vocab_size = 10;
  return config;
}

PeftAdapter adapter_of(AdapterSpec spec) {
  Rng rng(2);
  PeftAdapter adapter{std::move(spec), {}, "models/edge-slm"};
  adapter.values.resize(adapter_layout(small(), adapter.spec)->size);
  for (float& value : adapter.values) value = static_cast<float>(rng.normal());
  return adapter;
}

Result<PeftAdapter> read(const Path& folder) {
  TRY_ASSIGN(const PeftFiles files, open_peft_folder(folder));
  return read_peft_adapter(files, small());
}

Json config_of(const Path& folder) {
  return *parse_json(*read_file(folder / "adapter_config.json", 1 << 20), "config");
}
void put_config(const Path& folder, const Json& json) {
  ASSERT_TRUE(write_file_durably(folder / "adapter_config.json", as_bytes(json.dump())));
}

TEST(PeftAdapter, GivesBackWhatWasWritten) {
  for (const AdapterSpec& spec :
       {AdapterSpec{8, 16, {}}, AdapterSpec{1, 0.5f, {"q_proj", "down_proj"}},
        AdapterSpec{3, 3, {"v_proj"}}}) {
    const TempFolder folder;
    const PeftAdapter adapter = adapter_of(spec);
    ASSERT_TRUE(write_peft_folder(folder / "adapter", small(), adapter));
    const auto again = read(folder / "adapter");
    ASSERT_TRUE(again) << again.error().what;
    EXPECT_EQ(again->spec, spec);
    EXPECT_EQ(again->values, adapter.values);
    EXPECT_EQ(again->base_model, "models/edge-slm");
  }
}

TEST(PeftAdapter, WritesTheKeysOfPeft) {
  const TempFolder folder;
  ASSERT_TRUE(write_peft_folder(folder.path(), small(), adapter_of({2, 4, {"gate_proj"}})));
  const std::string file = *read_file(folder / "adapter_model.safetensors", 1 << 20);
  const auto tensors = read_safetensors(as_bytes(file), "file");
  ASSERT_TRUE(tensors);
  std::vector<std::string> names;
  for (const TensorView& tensor : tensors->tensors) names.push_back(tensor.name);
  EXPECT_EQ(names, (std::vector<std::string>{
                       "base_model.model.model.layers.0.mlp.gate_proj.lora_A.weight",
                       "base_model.model.model.layers.0.mlp.gate_proj.lora_B.weight",
                       "base_model.model.model.layers.1.mlp.gate_proj.lora_A.weight",
                       "base_model.model.model.layers.1.mlp.gate_proj.lora_B.weight"}));
  EXPECT_EQ(tensors->tensors[0].shape, (std::vector<std::int64_t>{2, 12}));
  EXPECT_EQ(tensors->tensors[1].shape, (std::vector<std::int64_t>{20, 2}));
  const Json json = config_of(folder.path());
  EXPECT_EQ(json["peft_type"], "LORA");
  EXPECT_EQ(json["task_type"], "CAUSAL_LM");
  EXPECT_EQ(json["r"], 2);
  EXPECT_EQ(json["lora_alpha"], 4);
  EXPECT_EQ(json["bias"], "none");
  EXPECT_EQ(json["target_modules"], Json::parse(R"(["gate_proj"])"));
}

TEST(PeftAdapter, ReadsAConfigAsPeftWritesIt) {
  const TempFolder folder;
  const PeftAdapter adapter = adapter_of({2, 4, {}});
  ASSERT_TRUE(write_peft_folder(folder.path(), small(), adapter));
  Json json = config_of(folder.path());
  json["target_modules"] = "all-linear";
  json.update(Json::parse(
      R"({"auto_mapping": null, "corda_config": null, "init_lora_weights": true, "layers_pattern": null,
    "layers_to_transform": null, "loftq_config": {}, "lora_bias": false, "megatron_core": "megatron.core", "peft_version": "0.18.0",
    "qalora_group_size": 16, "revision": null, "lora_dropout": 0.05, "trainable_token_indices": null, "use_qalora": false})"));
  put_config(folder.path(), json);
  const auto again = read(folder.path());
  ASSERT_TRUE(again) << again.error().what;
  EXPECT_EQ(again->values, adapter.values);
}

TEST(PeftAdapter, RefusesByNameWhatIsNotImplemented) {
  const TempFolder folder;
  ASSERT_TRUE(write_peft_folder(folder.path(), small(), adapter_of({2, 4, {}})));
  const Json plain = config_of(folder.path());
  const std::pair<const char*, Json> options[] = {
      {"use_dora", true},
      {"bias", "all"},
      {"modules_to_save", {"lm_head"}},
      {"peft_type", "IA3"},
      {"init_lora_weights", "pissa"},
      {"fan_in_fan_out", true},
      {"an_option_of_tomorrow", 3},
      {"target_modules", {"lm_head"}},
      {"target_modules", "(.*_proj"},
      {"target_modules", "no_module"},
      {"rank_pattern", {{"q_proj", 0}}},
      {"rank_pattern", {{"q_proj", "4"}}},
      {"rank_pattern", {4}},
      {"alpha_pattern", {{"q_proj", nullptr}}},
      {"layers_to_transform", {7}},
      {"layers_to_transform", {"0"}},
      {"layers_pattern", "blocks"},
      {"use_rslora", "yes"},
      {"target_modules", nullptr},
      {"r", 0},
      {"r", -1},
      {"r", 100'000},
      {"r", "8"},
      {"lora_alpha", "16"},
      {"lora_alpha", nullptr},
      {"task_type", "SEQ_CLS"},
  };
  for (const auto& [key, value] : options) {
    Json json = plain;
    json[key] = value;
    if (std::string(key) == "layers_pattern") json["layers_to_transform"] = 0;
    put_config(folder.path(), json);
    const auto refused = read(folder.path());
    ASSERT_FALSE(refused) << key << " " << value;
    EXPECT_EQ(refused.error().code, Code::kBadInput);
    const std::string says =
        std::string(key).substr(0, 4) == "rank" ? "rank" : std::string(key).substr(0, 5);
    EXPECT_NE(refused.error().what.find(says), std::string::npos) << refused.error().what;
  }
  Json json = plain;
  json.erase("peft_type");
  put_config(folder.path(), json);
  EXPECT_FALSE(read(folder.path()));
}

TEST(PeftAdapter, KeepsPatternsLayersAndTheRootOfTheRank) {
  AdapterSpec spec{4, 8, {"q_proj", "up_proj"}};
  spec.rslora = true;
  spec.layers = {1};
  spec.rank_pattern = {{"q_proj", 2}, {"layers.1.mlp.up_proj", 3}};
  spec.alpha_pattern = {{"up_proj", 0.5f}};
  const TempFolder folder;
  const PeftAdapter adapter = adapter_of(spec);
  ASSERT_TRUE(write_peft_folder(folder.path(), small(), adapter));
  const auto again = read(folder.path());
  ASSERT_TRUE(again) << again.error().what;
  EXPECT_EQ(again->spec, spec);
  EXPECT_EQ(again->values, adapter.values);
}

TEST(PeftAdapter, ReadsARegularExpressionForTargets) {
  const TempFolder folder;
  ASSERT_TRUE(write_peft_folder(folder.path(), small(), adapter_of({2, 4, {"q_proj", "k_proj"}})));
  Json json = config_of(folder.path());
  json["target_modules"] = R"(model\.layers\.\d+\.self_attn\.(k|q)_proj)";
  put_config(folder.path(), json);
  auto again = read(folder.path());
  ASSERT_TRUE(again) << again.error().what;
  EXPECT_EQ(again->spec.targets,
            (std::vector<std::string>{"self_attn.q_proj", "self_attn.k_proj"}));
  json["target_modules"] = R"(.*\.(0\.self_attn\.q|1\.mlp\.up)_proj)";
  put_config(folder.path(), json);
  EXPECT_NE(read(folder.path()).error().what.find("no tensor"), std::string::npos);
  AdapterSpec some{2, 4, {"model.layers.0.self_attn.q_proj", "model.layers.1.mlp.up_proj"}};
  ASSERT_TRUE(write_peft_folder(folder.path(), small(), adapter_of(some)));
  put_config(folder.path(), json);
  again = read(folder.path());
  ASSERT_TRUE(again) << again.error().what;
  EXPECT_EQ(again->spec.targets, some.targets);
}

TEST(PeftAdapter, RefusesWeightsThatDoNotFit) {
  const TempFolder folder;
  const AdapterSpec spec{2, 4, {"q_proj"}};
  const Layout layout = *adapter_layout(small(), spec);
  ASSERT_TRUE(write_peft_folder(folder.path(), small(), adapter_of(spec)));
  const std::string good = *read_file(folder / "adapter_model.safetensors", 1 << 20);
  const auto put = [&](ByteView bytes) {
    ASSERT_TRUE(write_file_durably(folder / "adapter_model.safetensors", bytes));
  };
  const auto says = [&](const char* text) {
    const auto refused = read(folder.path());
    ASSERT_FALSE(refused) << text;
    EXPECT_NE(refused.error().what.find(text), std::string::npos) << refused.error().what;
  };
  std::vector<float> values(40, 1.0f);
  std::vector<TensorToWrite> tensors;
  const std::string base = "base_model.model.model.layers.";
  for (const char* layer : {"0", "1"}) {
    tensors.push_back(
        {base + layer + ".self_attn.q_proj.lora_A.weight", {2, 12}, std::span(values).first(24)});
    tensors.push_back(
        {base + layer + ".self_attn.q_proj.lora_B.weight", {16, 2}, std::span(values).first(32)});
  }
  put(write_safetensors(tensors, Dtype::kBF16));
  ASSERT_TRUE(read(folder.path())) << read(folder.path()).error().what;

  auto other = tensors;
  other.pop_back();
  put(write_safetensors(other, Dtype::kF32));
  says("no tensor \"base_model.model.model.layers.1.self_attn.q_proj.lora_B.weight\"");
  other = tensors;
  other.push_back({"base_model.model.lm_head.lora_A.weight", {1}, std::span(values).first(1)});
  put(write_safetensors(other, Dtype::kF32));
  says("lm_head.lora_A.weight\" belongs to no target");
  other = tensors;
  other[0].shape = {12, 2};
  put(write_safetensors(other, Dtype::kF32));
  says("is not 2 x 12");
  values[5] = std::numeric_limits<float>::quiet_NaN();
  put(write_safetensors(tensors, Dtype::kF32));
  says("NaN");
  put(as_bytes(good).first(good.size() - 1));
  says("outside the file");
  std::filesystem::remove(folder / "adapter_model.safetensors");
  says("no adapter_model.safetensors");
}

}  // namespace
}  // namespace freshet
