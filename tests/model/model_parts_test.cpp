#include "model/files/model_parts.h"

#include <gtest/gtest.h>

#include "model/files/safetensors.h"
#include "model/modules.h"
#include "tests/temp_folder.h"

namespace freshet {
namespace {

const Path kGolden = "tests/trainer/golden";

void put_part(const TempFolder& folder, const char* name, std::string_view text) {
  ASSERT_TRUE(write_file_durably(folder / name, as_bytes(text)));
}

void copy(const TempFolder& folder, const char* model) {
  for (const char* name : {"config.json", "tokenizer.json", "model.safetensors"})
    std::filesystem::copy_file(kGolden / model / name, folder / name,
                               std::filesystem::copy_options::overwrite_existing);
}

Result<ModelParts> read_from(const Path& folder) {
  TRY_ASSIGN(const ModelFiles files, open_model_folder(folder));
  return read_model(files);
}

std::string refusal(const Path& folder) {
  const auto parts = read_from(folder);
  if (parts) return "accepted";
  EXPECT_EQ(parts.error().code, Code::kBadInput);
  return parts.error().what;
}

void expect_part(const std::string& what, std::string_view part) {
  EXPECT_NE(what.find(part), std::string::npos) << "\"" << what << "\" lacks " << part;
}

// The golden model's tensors, changed and written again.
void rewrite_tensors(const TempFolder& folder,
                     const std::function<void(std::vector<TensorToWrite>&)>& change) {
  const auto files = open_model_folder(folder.path());
  ASSERT_TRUE(files) << files.error().what;
  Bytes bytes;
  {
    const auto weights = Weights::open(*files);
    ASSERT_TRUE(weights) << weights.error().what;
    std::vector<std::vector<float>> values;
    std::vector<TensorToWrite> tensors;
    for (const WeightView& view : weights->all()) {
      values.emplace_back(static_cast<std::size_t>(view.elements()));
      read_rows(view, 0, view.rows(), values.back().data());
    }
    for (std::size_t i = 0; i < values.size(); ++i)
      tensors.push_back({weights->all()[i].name, weights->all()[i].shape, values[i]});
    change(tensors);
    bytes = write_safetensors(tensors, Dtype::kF32);
  }
  ASSERT_TRUE(write_file_durably(folder / "model.safetensors", bytes));
}

TEST(ModelParts, AreReadFromEveryGoldenModel) {
  for (const char* name : {"gpt2", "llama-bias-linear", "llama3-tied-shards", "mistral-window",
                           "qwen2-window", "qwen3"}) {
    const auto parts = read_from(kGolden / name);
    ASSERT_TRUE(parts) << parts.error().what;
    EXPECT_EQ(parts->config.vocab_size, 288) << name;
    EXPECT_NE(parts->weights.find(weight_shapes(parts->config).front().name), nullptr) << name;
    EXPECT_FALSE(parts->chat_template);
    EXPECT_EQ(parts->digest, *model_digest(*open_model_folder(kGolden / name)));
  }
}

TEST(ModelParts, TakeTheChatTemplateFromItsOwnFileFirst) {
  const TempFolder folder;
  copy(folder, "qwen3");
  put_part(folder, "tokenizer_config.json", R"({"chat_template": "from the configuration"})");
  EXPECT_EQ(read_from(folder.path())->chat_template, "from the configuration");
  put_part(folder, "chat_template.jinja", "from its file");
  EXPECT_EQ(read_from(folder.path())->chat_template, "from its file");
}

TEST(ModelParts, EndATextWithEveryTokenThatEndsOne) {
  const TempFolder folder;
  copy(folder, "qwen3");
  EXPECT_EQ(read_from(folder.path())->config.eos_ids, std::vector<int>{2});
  put_part(folder, "generation_config.json", R"({"eos_token_id": [7, 2, -1, 1000000, "x", 9]})");
  EXPECT_EQ(read_from(folder.path())->config.eos_ids, (std::vector<int>{2, 7, 9}));
  put_part(folder, "generation_config.json", R"({"eos_token_id": 5})");
  EXPECT_EQ(read_from(folder.path())->config.eos_ids, (std::vector<int>{2, 5}));
  put_part(folder, "generation_config.json", R"({"eos_token_id": null})");
  EXPECT_EQ(read_from(folder.path())->config.eos_ids, std::vector<int>{2});
  put_part(folder, "generation_config.json", "[]");
  EXPECT_EQ(read_from(folder.path())->config.eos_ids, std::vector<int>{2});
  put_part(folder, "generation_config.json", "{");
  expect_part(refusal(folder.path()), "generation_config.json");
}

TEST(ModelParts, RefuseWeightsThatAreNotThoseOfTheConfiguration) {
  const TempFolder folder;
  copy(folder, "qwen3");
  rewrite_tensors(folder, [](auto& tensors) { tensors.pop_back(); });
  expect_part(refusal(folder.path()), "\"model.norm.weight\" is missing");
  copy(folder, "qwen3");
  rewrite_tensors(folder, [](auto& tensors) { tensors.back().shape = {2, 12}; });
  expect_part(refusal(folder.path()),
              "\"model.norm.weight\" has the shape [2, 12] where the configuration says [24]");
  copy(folder, "qwen3");
  rewrite_tensors(folder, [](auto& tensors) {
    tensors.back().name = "model.norm.weight";
    tensors.push_back({"model.layers.0.mlp.gate_proj.bias", {24}, tensors.back().values});
  });
  expect_part(refusal(folder.path()), "\"model.layers.0.mlp.gate_proj.bias\" has no place");
}

TEST(ModelParts, IgnoreTheHeadOfATiedModelAndComputedBuffers) {
  const TempFolder folder;
  copy(folder, "qwen3");
  const std::vector<float> head(288 * 24), buffer(6);
  rewrite_tensors(folder, [&](auto& tensors) {
    tensors.push_back({"lm_head.weight", {288, 24}, head});
    tensors.push_back({"model.layers.0.self_attn.rotary_emb.inv_freq", {6}, buffer});
  });
  const auto parts = read_from(folder.path());
  ASSERT_TRUE(parts) << parts.error().what;
  EXPECT_TRUE(parts->config.tied_embeddings);
}

TEST(ModelParts, RefuseATokenizerOfAnotherModel) {
  const TempFolder folder;
  copy(folder, "qwen3");
  put_part(folder, "tokenizer.json",
           R"({"model": {"type": "BPE", "vocab": {"a": 0, "b": 288}, "merges": []}})");
  expect_part(refusal(folder.path()), "289 tokens and the model 288");
}

TEST(ModelParts, OfAGgufNeedOneFile) {
  ModelFiles files;
  expect_part(read_config(files).error().what, "not one GGUF file");
  expect_part(Weights::open(files).error().what, "0 files of weights");
}

}  // namespace
}  // namespace freshet
