// Models written as folders: merges against peft's (tests/model/golden/peft/make_adapters.py),
// number formats, and nothing half-written.

#include "model/files/write_hugging_face.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/json.h"
#include "model/files/model_parts.h"
#include "model/files/peft_adapter.h"
#include "model/files/safetensors.h"
#include "tests/temp_folder.h"

namespace freshet {
namespace {

const OnProgress kQuiet = [](std::uint64_t, std::uint64_t) -> Result<void> { return {}; };

// A model folder needs a tokenizer, which the golden ones leave out: nothing here looks into it.
Path model_from(const char* name, const TempFolder& place) {
  const Path golden = Path("tests/model/golden/peft") / name, folder = place / name;
  std::filesystem::create_directories(folder);
  for (const char* file : {"config.json", "model.safetensors"})
    std::filesystem::copy_file(golden / file, folder / file);
  std::filesystem::copy_file("tests/model/golden/llama.json", folder / "tokenizer.json");
  EXPECT_TRUE(write_file_durably(folder / "generation_config.json", as_bytes(std::string("{}"))));
  return folder;
}

struct OpenSafetensors {
  MappedFile file;
  Safetensors tensors;
};

OpenSafetensors open_weights(const Path& path) {
  OpenSafetensors opened;
  opened.file = std::move(*MappedFile::open(path));
  opened.tensors = *read_safetensors(opened.file.view(), path.string());
  return opened;
}

Result<Written> write(const Path& folder, const WritePlan& plan,
                      const OnProgress& progress = kQuiet) {
  TRY_ASSIGN(const ModelFiles files, open_model_folder(folder));
  return write_hugging_face(folder, files, plan, progress);
}

AdapterFold fold_of(const char* name) {
  const Path golden = Path("tests/model/golden/peft") / name;
  const ModelConfig config =
      *parse_model_config(*read_file(golden / "config.json", 1 << 20), "config.json");
  const PeftAdapter adapter = *read_peft_adapter(*open_peft_folder(golden), config);
  return *AdapterFold::make(config, adapter.spec, adapter.values);
}

std::vector<std::string> names_in(const Path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

class Merge : public testing::TestWithParam<const char*> {};

TEST_P(Merge, GivesTheWeightsThatPeftGives) {
  const TempFolder place;
  const Path folder = model_from(GetParam(), place);
  const AdapterFold fold = fold_of(GetParam());
  const auto written = write(folder, {place / "out", false, {}, &fold});
  ASSERT_TRUE(written) << written.error().what;
  EXPECT_GT(written->adapted, 0u);
  const OpenSafetensors ours = open_weights(place / "out/model.safetensors");
  const OpenSafetensors theirs =
      open_weights(Path("tests/model/golden/peft") / GetParam() / "merged.safetensors");
  ASSERT_EQ(ours.tensors.tensors.size(), theirs.tensors.tensors.size());
  EXPECT_EQ(written->tensors, ours.tensors.tensors.size());
  for (const TensorView& tensor : theirs.tensors.tensors) {
    const TensorView* found = ours.tensors.find(tensor.name);
    ASSERT_NE(found, nullptr) << tensor.name;
    EXPECT_EQ(found->dtype, tensor.dtype);
    EXPECT_EQ(found->shape, tensor.shape);
    const std::vector<float> got = *to_f32(*found), wanted = *to_f32(tensor);
    // peft multiplies before it scales, in the adapter's own type.
    const float step =
        tensor.dtype == Dtype::kF32 && GetParam() == std::string("llama") ? 1e-6f : 0x1p-7f;
    for (std::size_t i = 0; i < wanted.size(); ++i)
      EXPECT_NEAR(got[i], wanted[i], step * std::max(1.0f, std::abs(wanted[i])))
          << tensor.name << " " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Golden, Merge, testing::Values("llama", "qwen2", "qwen3", "gpt2"));

TEST(WriteHuggingFace, KeepsEveryBitAndEveryFileWhereNothingChanges) {
  const TempFolder place;
  const Path folder = model_from("qwen2", place);
  ASSERT_TRUE(write(folder, {place / "out"}));
  EXPECT_EQ(names_in(place / "out"), names_in(folder));
  for (const char* name : {"config.json", "tokenizer.json", "generation_config.json"})
    EXPECT_EQ(*read_file(folder / name, 1 << 24), *read_file(place / "out" / name, 1 << 24));
  const OpenSafetensors from = open_weights(folder / "model.safetensors"),
                        to = open_weights(place / "out/model.safetensors");
  ASSERT_EQ(from.tensors.tensors.size(), to.tensors.tensors.size());
  for (const TensorView& tensor : from.tensors.tensors) {
    const ByteView bytes = to.tensors.find(tensor.name)->bytes;
    EXPECT_TRUE(std::equal(bytes.begin(), bytes.end(), tensor.bytes.begin(), tensor.bytes.end()))
        << tensor.name;
  }
}

TEST(WriteHuggingFace, WritesTheTypeThatIsAskedForAndSaysSo) {
  const TempFolder place;
  const Path folder = model_from("llama", place);
  const std::pair<WeightType, const char*> types[] = {{WeightType::kF16, "float16"},
                                                      {WeightType::kBF16, "bfloat16"}};
  for (const auto& [type, torch] : types) {
    const auto written = write(folder, {place / torch, false, type});
    ASSERT_TRUE(written) << written.error().what;
    const OpenSafetensors from = open_weights(folder / "model.safetensors"),
                          to = open_weights(place / torch / "model.safetensors");
    EXPECT_EQ(written->bytes, 2 * written->parameters);
    for (const TensorView& tensor : from.tensors.tensors) {
      const std::vector<float> wide = *to_f32(tensor);
      const std::vector<float> narrow = *to_f32(*to.tensors.find(tensor.name));
      for (std::size_t i = 0; i < wide.size(); ++i)
        EXPECT_NEAR(narrow[i], wide[i],
                    std::abs(wide[i]) * (type == WeightType::kF16 ? 0x1p-11 : 0x1p-8) + 1e-7);
    }
    const Json config = *parse_json(*read_file(place / torch / "config.json", 1 << 20), "config");
    EXPECT_EQ(config["torch_dtype"], torch);
  }
}

TEST(WriteHuggingFace, ReplacesNothingUnlessTold) {
  const TempFolder place;
  const Path folder = model_from("gpt2", place);
  ASSERT_TRUE(write(folder, {place / "out"}));
  ASSERT_TRUE(write_file_durably(place / "out/old", as_bytes(std::string("x"))));
  const auto refused = write(folder, {place / "out"});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kRefused);
  EXPECT_NE(refused.error().what.find("--force"), std::string::npos);
  ASSERT_TRUE(write(folder, {place / "out", true}));
  EXPECT_EQ(names_in(place / "out"), names_in(folder));
  std::filesystem::create_directories(place / "letters");
  ASSERT_TRUE(write_file_durably(place / "letters/one", as_bytes(std::string("x"))));
  const auto kept = write(folder, {place / "letters", true});
  ASSERT_FALSE(kept);
  EXPECT_NE(kept.error().what.find("neither a model"), std::string::npos);
  EXPECT_EQ(names_in(place / "letters"), std::vector<std::string>{"one"});
}

TEST(WriteHuggingFace, LeavesNothingWhereItEndsEarly) {
  const TempFolder place;
  const Path folder = model_from("llama", place);
  ASSERT_TRUE(write(folder, {place / "kept"}));
  const std::vector<std::string> before = names_in(place.path());
  const OnProgress full = [](std::uint64_t done, std::uint64_t total) -> Result<void> {
    if (done < total / 2) return {};
    return fail(Code::kNoSpace, "no space left on device");
  };
  EXPECT_EQ(write(folder, {place / "out"}, full).error().code, Code::kNoSpace);
  EXPECT_EQ(write(folder, {place / "kept", true}, full).error().code, Code::kNoSpace);
  EXPECT_EQ(names_in(place.path()), before);
  EXPECT_TRUE(open_model_folder(place / "kept"));
}

TEST(WriteHuggingFace, RefusesNumbersTooLargeForF16ByName) {
  const std::vector<float> values = {1, 65519, -65520};
  EXPECT_TRUE(to_weight_bytes(std::span(values).first(2), WeightType::kF16, "w"));
  const auto refused = to_weight_bytes(values, WeightType::kF16, "model.norm.weight");
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().what.find("model.norm.weight"), std::string::npos);
}

}  // namespace
}  // namespace freshet
