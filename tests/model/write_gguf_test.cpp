// Models and adapters written as GGUF, read back by our reader and compared with what went in.

#include "model/files/write_gguf.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/json.h"
#include "base/rng.h"
#include "model/files/gguf.h"
#include "model/files/gguf_model.h"
#include "model/files/model_parts.h"
#include "model/files/peft_adapter.h"
#include "model/files/safetensors.h"
#include "model/modules.h"
#include "tests/temp_folder.h"

namespace freshet {
namespace {

const OnProgress kSilent = [](std::uint64_t, std::uint64_t) -> Result<void> { return {}; };

// The golden models of peft (tests/model/golden/peft), with a tokenizer of as many ids as they
// have.
Path model_at(const char* name, const TempFolder& place) {
  if (std::string_view(name).find('/') != std::string_view::npos) return name;  // a whole folder
  const Path golden = Path("tests/model/golden/peft") / name, folder = place / name;
  std::filesystem::create_directories(folder);
  for (const char* file : {"config.json", "model.safetensors"})
    std::filesystem::copy_file(golden / file, folder / file);
  const std::string tokenizer = R"({"model": {"type": "BPE", "unk_token": "<unk>",
    "byte_fallback": false, "vocab": {"<unk>": 0, "<s>": 1, "</s>": 2, "\u0120": 3, "a": 4, "b": 5, "ab": 6},
    "merges": [["a", "b"]]},
    "added_tokens": [{"id": 1, "content": "<s>", "special": true}, {"id": 2, "content": "</s>", "special": true}],
    "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true},
    "decoder": {"type": "ByteLevel"}})";
  EXPECT_TRUE(write_file_durably(folder / "tokenizer.json", as_bytes(tokenizer)));
  return folder;
}

std::vector<float> values_of(const WeightView& weight) {
  std::vector<float> values(static_cast<std::size_t>(weight.elements()));
  read_rows(weight, 0, weight.rows(), values.data());
  return values;
}

class ToGguf : public testing::TestWithParam<const char*> {};

TEST_P(ToGguf, HoldsTheSameModelAndComesBack) {
  const TempFolder place;
  const Path folder = model_at(GetParam(), place);
  const ModelFiles files = *open_model_folder(folder);
  const WritePlan plan{place / "m.gguf", false, WeightType::kF32};
  const auto written = write_gguf(files, plan, kSilent);
  ASSERT_TRUE(written) << written.error().what;
  const ModelFiles gguf = *open_model_folder(place / "m.gguf");
  const auto back = write_hugging_face(place / "m.gguf", gguf, {place / "back"}, kSilent);
  ASSERT_TRUE(back) << back.error().what;
  EXPECT_EQ(back->parameters, written->parameters);
  const ModelFiles again_files = *open_model_folder(place / "back");
  const auto from = read_model(files);
  auto to = read_model(again_files);
  ASSERT_TRUE(from) << from.error().what;
  ASSERT_TRUE(to) << to.error().what;
  EXPECT_EQ(gguf_rope_divisors(from->config).size(), gguf_rope_divisors(to->config).size());
  to->config.rope.original_positions = from->config.rope.original_positions;  // not said in a GGUF
  EXPECT_EQ(from->config, to->config);
  for (const char* text : {"ab b a", "aab", "</s>"})
    EXPECT_EQ(from->tokenizer.encode(text, false), to->tokenizer.encode(text, false)) << text;
  for (const WeightShape& shape : weight_shapes(from->config)) {
    if (shape.optional) continue;
    EXPECT_EQ(values_of(*from->weights.find(shape.name)), values_of(*to->weights.find(shape.name)))
        << shape.name;
  }
}

INSTANTIATE_TEST_SUITE_P(Golden, ToGguf, testing::Values("llama", "qwen2", "qwen3", "gpt2"));
INSTANTIATE_TEST_SUITE_P(WithEveryOption, ToGguf,
                         testing::Values("tests/trainer/golden/gpt2",
                                         "tests/trainer/golden/llama-bias-linear",
                                         "tests/trainer/golden/mistral-window",
                                         "tests/trainer/golden/llama3-tied-shards",
                                         "tests/trainer/golden/qwen3"));

// A llama of which every matrix has whole blocks.
Path model_of_blocks(const TempFolder& place) {
  ModelConfig config;
  config.hidden_size = 32, config.intermediate_size = 64, config.layers = 1, config.vocab_size = 11;
  config.heads = 4, config.kv_heads = 2, config.head_dim = 8, config.max_positions = 16;
  config.eos_ids = {2};
  std::vector<std::vector<float>> values;
  std::vector<TensorToWrite> tensors;
  const std::vector<WeightShape> shapes = weight_shapes(config);
  values.reserve(shapes.size());
  Rng rng(6);
  for (const WeightShape& shape : shapes) {
    std::size_t count = 1;
    for (std::int64_t length : shape.shape) count *= static_cast<std::size_t>(length);
    std::vector<float>& made = values.emplace_back(count);
    for (float& value : made) value = static_cast<float>(rng.normal());
    tensors.push_back({shape.name, shape.shape, made});
  }
  const Path folder = model_at("llama", place);
  EXPECT_TRUE(write_file_durably(folder / "config.json", as_bytes(to_json(config).dump())));
  EXPECT_TRUE(
      write_file_durably(folder / "model.safetensors", write_safetensors(tensors, Dtype::kF32)));
  return folder;
}

TEST(WriteGguf, KeepsEightBitsWithinHalfAStepOfEachBlock) {
  const TempFolder place;
  const ModelFiles files = *open_model_folder(model_of_blocks(place));
  const auto written = write_gguf(files, {place / "m.gguf", false, WeightType::kQ8_0}, kSilent);
  ASSERT_TRUE(written) << written.error().what;
  const ModelFiles gguf = *open_model_folder(place / "m.gguf");
  const Weights before = *Weights::open(files), after = *Weights::open(gguf);
  for (const WeightView& weight : after.all()) {
    const std::vector<float> exact = values_of(*before.find(weight.name)),
                             rough = values_of(weight);
    ASSERT_EQ(exact.size(), rough.size()) << weight.name;
    const bool blocks = weight.shape.size() == 2;
    EXPECT_EQ(weight.type, blocks ? WeightType::kQ8_0 : WeightType::kF32) << weight.name;
    for (std::size_t i = 0; i < exact.size(); ++i) {
      float largest = 0;
      for (std::size_t j = i / 32 * 32; j < std::min(exact.size(), i / 32 * 32 + 32); ++j)
        largest = std::max(largest, std::abs(exact[j]));
      EXPECT_NEAR(exact[i], rough[i], blocks ? largest / 127 * 0.51f + largest * 0x1p-10f : 0.0f)
          << weight.name << " " << i;
    }
  }
}

TEST(WriteGguf, RefusesWindowsThatDifferByLayer) {
  const TempFolder place;
  const ModelFiles files = *open_model_folder("tests/trainer/golden/qwen2-window");
  const auto refused = write_gguf(files, {place / "m.gguf", false, {}}, kSilent);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().what.find("windows"), std::string::npos) << refused.error().what;
}

TEST(WriteGguf, LeavesAtSixteenBitsWhatHasNoWholeBlocks) {
  const TempFolder place;
  const Path folder = model_at("llama", place);
  const ModelFiles files = *open_model_folder(folder);
  ASSERT_TRUE(write_gguf(files, {place / "m.gguf", false, WeightType::kQ8_0}, kSilent));
  const auto mapped = MappedFile::open(place / "m.gguf");
  const auto file = read_gguf(mapped->view(), "m.gguf");
  ASSERT_TRUE(file) << file.error().what;
  EXPECT_EQ(file->integer("general.file_type"), 7);
  EXPECT_EQ(file->find_tensor("blk.0.attn_q.weight")->type, WeightType::kF16);  // rows of 8
  EXPECT_EQ(file->find_tensor("output_norm.weight")->type, WeightType::kF32);
  const auto refused = write_gguf(files, {place / "m.gguf", false, {}}, kSilent);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kRefused);
}

TEST(WriteGguf, LeavesNothingWhereItEndsEarly) {
  const TempFolder place;
  const Path folder = model_at("llama", place);
  const ModelFiles files = *open_model_folder(folder);
  const OnProgress full = [](std::uint64_t done, std::uint64_t total) -> Result<void> {
    if (done < total / 2) return {};
    return fail(Code::kNoSpace, "no space left on device");
  };
  EXPECT_EQ(write_gguf(files, {place / "out/m.gguf", false, {}}, full).error().code,
            Code::kNoSpace);
  EXPECT_TRUE(std::filesystem::is_empty(place / "out"));
}

// scale * B A of one module from the values of a GGUF, as llama.cpp multiplies them.
std::vector<float> product(const GgufFile& file, const std::string& weight, float alpha) {
  const GgufTensor& a = *file.find_tensor(weight + ".lora_a");
  const GgufTensor& b = *file.find_tensor(weight + ".lora_b");
  const auto rank = static_cast<std::size_t>(a.shape[0]), in = static_cast<std::size_t>(a.shape[1]);
  const auto out = static_cast<std::size_t>(b.shape[0]);
  std::vector<float> a_values(rank * in), b_values(out * rank), sum(out * in);
  dequantize(a.type, a.bytes, a_values.data());
  dequantize(b.type, b.bytes, b_values.data());
  for (std::size_t o = 0; o < out; ++o)
    for (std::size_t i = 0; i < in; ++i)
      for (std::size_t r = 0; r < rank; ++r)
        sum[o * in + i] +=
            alpha / static_cast<float>(rank) * b_values[o * rank + r] * a_values[r * in + i];
  return sum;
}

// Adding a LoRA file to a model's file in the terms of llama.cpp gives the file of the merged
// model.
class LoraGguf : public testing::TestWithParam<const char*> {};

TEST_P(LoraGguf, AddedToTheModelsFileGivesTheMergedModelsFile) {
  const TempFolder place;
  const Path folder = model_at(GetParam(), place),
             golden = Path("tests/model/golden/peft") / GetParam();
  const ModelFiles files = *open_model_folder(folder);
  const ModelConfig config = *read_config(files);
  const PeftAdapter adapter = *read_peft_adapter(*open_peft_folder(golden), config);
  const AdapterFold fold = *AdapterFold::make(config, adapter.spec, adapter.values);
  ASSERT_TRUE(write_gguf(files, {place / "base.gguf", false, WeightType::kF32}, kSilent));
  ASSERT_TRUE(write_gguf(files, {place / "merged.gguf", false, WeightType::kF32, &fold}, kSilent));
  ASSERT_TRUE(write_lora_gguf(place / "lora.gguf", config, adapter));

  const auto lora_bytes = MappedFile::open(place / "lora.gguf"),
             base_bytes = MappedFile::open(place / "base.gguf"),
             merged_bytes = MappedFile::open(place / "merged.gguf");
  const auto lora = read_gguf(lora_bytes->view(), "lora.gguf"),
             base = read_gguf(base_bytes->view(), "base.gguf"),
             merged = read_gguf(merged_bytes->view(), "merged.gguf");
  ASSERT_TRUE(lora) << lora.error().what;
  EXPECT_EQ(lora->text("general.type"), "adapter");
  EXPECT_EQ(lora->text("adapter.type"), "lora");
  EXPECT_EQ(lora->text("general.architecture"), GetParam());
  const auto alpha = static_cast<float>(*lora->number("adapter.lora.alpha"));
  EXPECT_EQ(alpha, adapter.spec.alpha);
  std::size_t adapted = 0;
  for (const GgufTensor& tensor : base->tensors) {
    std::vector<float> before(static_cast<std::size_t>(tensor.bytes.size() / 4)), after = before;
    dequantize(tensor.type, tensor.bytes, before.data());
    dequantize(tensor.type, merged->find_tensor(tensor.name)->bytes, after.data());
    const std::string name(tensor.name);
    std::vector<float> delta(before.size());
    if (lora->find_tensor(name + ".lora_a") != nullptr) {
      delta = product(*lora, name, alpha);
      ++adapted;
    }
    ASSERT_EQ(delta.size(), before.size()) << name;
    for (std::size_t i = 0; i < before.size(); ++i)
      EXPECT_NEAR(before[i] + delta[i], after[i], 1e-5f) << name << " " << i;
  }
  EXPECT_EQ(2 * adapted, lora->tensors.size());
}

INSTANTIATE_TEST_SUITE_P(Golden, LoraGguf, testing::Values("llama", "qwen2", "qwen3", "gpt2"));

}  // namespace
}  // namespace freshet
