#include "model/files/weights.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include "model/files/model_files.h"
#include "model/files/safetensors.h"

namespace freshet {
namespace {

OpenFile memory_file(std::string name, ByteView bytes) {
  OpenFile file{std::move(name), UniqueFd(::memfd_create("test", MFD_CLOEXEC))};
  EXPECT_TRUE(write_all(file.fd.get(), bytes, "test"));
  return file;
}

OpenFile tensors_file(std::string name, std::vector<std::string> names, Dtype dtype = Dtype::kF32) {
  static const std::vector<float> kValues = {1, 2, 3, 4, 5, 6};
  std::vector<TensorToWrite> tensors;
  for (std::string& each : names) tensors.push_back({std::move(each), {2, 3}, kValues});
  return memory_file(std::move(name), write_safetensors(tensors, dtype));
}

ModelFiles single(OpenFile file) {
  ModelFiles files;
  files.config = memory_file("config.json", as_bytes("{}"));
  files.weights.push_back(std::move(file));
  return files;
}

ModelFiles sharded(std::string_view weight_map, std::vector<OpenFile> shards) {
  ModelFiles files;
  files.config = memory_file("config.json", as_bytes("{}"));
  files.index = memory_file("model.safetensors.index.json",
                            as_bytes(R"({"weight_map": )" + std::string(weight_map) + "}"));
  files.weights = std::move(shards);
  return files;
}

std::vector<OpenFile> shards_of(std::vector<std::string> a, std::vector<std::string> b) {
  std::vector<OpenFile> shards;
  shards.push_back(tensors_file("folder/a.safetensors", std::move(a)));
  shards.push_back(tensors_file("folder/b.safetensors", std::move(b)));
  return shards;
}

std::string refusal(const ModelFiles& files) {
  const auto weights = Weights::open(files);
  if (weights) return "opened";
  EXPECT_EQ(weights.error().code, Code::kBadInput);
  return weights.error().what;
}

std::vector<float> rows_of(const WeightView& view, std::int64_t first, std::int64_t count) {
  std::vector<float> rows(static_cast<std::size_t>(count * view.row_elements()));
  read_rows(view, first, count, rows.data());
  return rows;
}

TEST(Weights, ReadsRowsOfEveryPlainType) {
  for (Dtype dtype : {Dtype::kF32, Dtype::kBF16}) {
    const auto weights = Weights::open(single(tensors_file("m.safetensors", {"x"}, dtype)));
    ASSERT_TRUE(weights) << weights.error().what;
    const WeightView* view = weights->find("x");
    ASSERT_NE(view, nullptr);
    EXPECT_EQ(weights->find("y"), nullptr);
    EXPECT_EQ(view->shape, (std::vector<std::int64_t>{2, 3}));
    EXPECT_EQ(rows_of(*view, 1, 1), (std::vector<float>{4, 5, 6}));
    EXPECT_EQ(rows_of(*view, 0, 2), (std::vector<float>{1, 2, 3, 4, 5, 6}));
  }
}

TEST(Weights, StayReadableWhenMoved) {
  Weights moved;
  {
    auto weights = Weights::open(single(tensors_file("m.safetensors", {"x"})));
    ASSERT_TRUE(weights) << weights.error().what;
    moved = std::move(*weights);
  }
  EXPECT_EQ(rows_of(*moved.find("x"), 0, 1), (std::vector<float>{1, 2, 3}));
}

TEST(Weights, KnowsTensorsByTheNameOfTheWholeModel) {
  EXPECT_EQ(weight_name("wte.weight"), "transformer.wte.weight");
  EXPECT_EQ(weight_name("h.3.attn.c_attn.bias"), "transformer.h.3.attn.c_attn.bias");
  EXPECT_EQ(weight_name("transformer.h.3.ln_1.bias"), "transformer.h.3.ln_1.bias");
  EXPECT_EQ(weight_name("layers.0.mlp.up_proj.weight"), "model.layers.0.mlp.up_proj.weight");
  EXPECT_EQ(weight_name("lm_head.weight"), "lm_head.weight");
  for (const char* buffer : {"h.0.attn.bias", "transformer.h.0.attn.masked_bias",
                             "model.layers.1.self_attn.rotary_emb.inv_freq"})
    EXPECT_EQ(weight_name(buffer), "") << buffer;
}

TEST(Weights, RefusesTwoTensorsOfOneMeaning) {
  const std::string what =
      refusal(single(tensors_file("m.safetensors", {"wte.weight", "transformer.wte.weight"})));
  EXPECT_NE(what.find("two tensors mean \"transformer.wte.weight\""), std::string::npos) << what;
}

TEST(Weights, RefusesATypeThatIsNoWeight) {
  std::string header = R"({"x": {"dtype": "I64", "shape": [1], "data_offsets": [0, 8]}})";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  std::string file(8, '\0');
  file[0] = static_cast<char>(header.size());
  file += header + std::string(8, '\0');
  const std::string what = refusal(single(memory_file("m.safetensors", as_bytes(file))));
  EXPECT_NE(what.find("\"x\" is I64"), std::string::npos) << what;
}

TEST(Weights, ReadsShardsAsOne) {
  const auto files =
      sharded(R"({"x": "a.safetensors", "y": "b.safetensors", "z": "a.safetensors"})",
              shards_of({"x", "z"}, {"y"}));
  const auto weights = Weights::open(files);
  ASSERT_TRUE(weights) << weights.error().what;
  ASSERT_EQ(weights->all().size(), 3u);
  EXPECT_EQ(weights->all()[1].name, "y");
  EXPECT_EQ(rows_of(*weights->find("y"), 1, 1), (std::vector<float>{4, 5, 6}));
}

TEST(Weights, RefusesShardsThatAreNotWhatTheIndexSays) {
  const char* both = R"({"x": "a.safetensors", "y": "b.safetensors"})";
  const std::pair<std::string, std::string> cases[] = {
      {refusal(sharded(both, shards_of({"x"}, {"z"}))),
       "tensor \"z\" of \"b.safetensors\" is not in the index"},
      {refusal(sharded(both, shards_of({"x"}, {"y", "x"}))),
       "tensor \"x\" is in \"a.safetensors\" and in"},
      {refusal(sharded(both, shards_of({"y"}, {"x"}))),
       "tensor \"y\" is in \"a.safetensors\", not in"},
      {refusal(sharded(both, shards_of({"x"}, {}))), "tensor \"y\" is in no shard"},
      {refusal(sharded(R"({"x": "a.safetensors"})", shards_of({"x"}, {}))),
       "shard \"b.safetensors\" is not in the index"},
      {refusal(sharded(R"({"x": "../a"})", {})), "files of weights"},
      {refusal(sharded(R"({"x": "../a"})", shards_of({}, {}))), "not the plain name of a file"},
      {refusal(sharded(R"({"x": "c/a"})", shards_of({}, {}))), "not the plain name of a file"},
      {refusal(sharded(R"({"x": 7})", shards_of({}, {}))), "not the plain name of a file"},
      {refusal(sharded(R"({"x": "a", "x": "b"})", shards_of({}, {}))), "\"x\" stands twice"},
      {refusal(sharded("[]", shards_of({}, {}))), "no \"weight_map\""},
      {refusal(sharded("{}", shards_of({}, {}))), "without tensors"},
      {refusal(sharded("[[[[[[[]]]]]]]", shards_of({}, {}))), "not the index of shards"},
      {refusal(sharded("{", shards_of({}, {}))), "not valid JSON"},
  };
  for (const auto& [what, part] : cases)
    EXPECT_NE(what.find(part), std::string::npos) << "\"" << what << "\" lacks " << part;
}

TEST(Weights, RefusesSeveralFilesWithoutAnIndex) {
  ModelFiles files = single(tensors_file("a.safetensors", {"x"}));
  files.weights.push_back(tensors_file("b.safetensors", {"y"}));
  EXPECT_NE(refusal(files).find("without their index"), std::string::npos);
}

// Two heads of four rows: file rows 0 1 2 3 are 0 2 1 3 of Hugging Face.
TEST(Weights, UndoesInterleavedHeads) {
  const std::vector<float> file = {0, 0, 2, 2, 1, 1, 3, 3, 10, 10, 12, 12, 11, 11, 13, 13};
  WeightView view{"q", WeightType::kF32, {8, 2}, as_bytes(std::span<const float>(file)), 2};
  EXPECT_EQ(rows_of(view, 0, 8),
            (std::vector<float>{0, 0, 1, 1, 2, 2, 3, 3, 10, 10, 11, 11, 12, 12, 13, 13}));
  EXPECT_EQ(rows_of(view, 5, 2), (std::vector<float>{11, 11, 12, 12}));
  const std::vector<float> bias = {0, 2, 1, 3, 10, 12, 11, 13};
  WeightView vector{"b", WeightType::kF32, {8}, as_bytes(std::span<const float>(bias)), 2};
  EXPECT_EQ(rows_of(vector, 0, 1), (std::vector<float>{0, 1, 2, 3, 10, 11, 12, 13}));
}

TEST(Weights, UndoesATranspose) {
  const std::vector<float> file = {1, 4, 2, 5, 3, 6};  // [3, 2]
  WeightView view{"c", WeightType::kF32, {2, 3}, as_bytes(std::span<const float>(file)), 0, true};
  EXPECT_EQ(rows_of(view, 0, 2), (std::vector<float>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(rows_of(view, 1, 1), (std::vector<float>{4, 5, 6}));
}

}  // namespace
}  // namespace freshet
