#include "model/files/gguf_model.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "model/files/gguf_tokenizer.h"
#include "model/files/model_parts.h"
#include "model/modules.h"
#include "tests/temp_folder.h"

namespace freshet {
namespace {

constexpr const char* kSentences[] = {"When the water rises",
                                      "  They've done  this for 100 years;\n\t x",
                                      "na\u00efve caf\u00e9 \U0001F30D </s> a<s>b", ""};
const Path kGguf = "tests/model/golden/gguf", kFolders = "tests/trainer/golden";

Result<ModelParts> read_from(const Path& path) {
  TRY_ASSIGN(const ModelFiles files, open_model_folder(path));
  return read_model(files);
}

std::vector<float> values_of(const WeightView& view) {
  std::vector<float> values(static_cast<std::size_t>(view.elements()));
  read_rows(view, 0, view.rows(), values.data());
  return values;
}

class GgufModel : public testing::TestWithParam<const char*> {};

// Each was written from the folder of Hugging Face's form by make_models.py.
TEST_P(GgufModel, IsTheModelThatItWasMadeFrom) {
  const auto gguf = read_from(kGguf / (std::string(GetParam()) + ".gguf"));
  const auto folder = read_from(kFolders / GetParam());
  ASSERT_TRUE(gguf) << gguf.error().what;
  ASSERT_TRUE(folder) << folder.error().what;

  ModelConfig config = gguf->config;
  EXPECT_EQ(gguf_rope_divisors(config).size(), gguf_rope_divisors(folder->config).size());
  const std::vector<float> got = gguf_rope_divisors(config),
                           want = gguf_rope_divisors(folder->config);
  for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], want[i], 1e-4 * want[i]);
  config.rope.original_positions = folder->config.rope.original_positions;
  EXPECT_EQ(config, folder->config);

  for (const WeightShape& shape : weight_shapes(config)) {
    const WeightView *ours = gguf->weights.find(shape.name),
                     *theirs = folder->weights.find(shape.name);
    if (shape.optional && ours == nullptr) continue;
    ASSERT_TRUE(ours != nullptr && theirs != nullptr) << shape.name;
    EXPECT_EQ(ours->shape, theirs->shape) << shape.name;
    EXPECT_EQ(values_of(*ours), values_of(*theirs)) << shape.name;
  }
  EXPECT_EQ(gguf->chat_template, "{{ messages }}");

  for (const char* text : kSentences)
    EXPECT_EQ(gguf->tokenizer.encode(text, true), folder->tokenizer.encode(text, true)) << text;
  const std::vector<TokenId> ids = gguf->tokenizer.encode("the rivers", false);
  EXPECT_EQ(gguf->tokenizer.decode(ids), "the rivers");
  EXPECT_EQ(gguf->tokenizer.bos_id(), 1);
  EXPECT_EQ(gguf->tokenizer.eos_id(), 2);
}

INSTANTIATE_TEST_SUITE_P(Golden, GgufModel,
                         testing::Values("gpt2", "llama-bias-linear", "llama3-tied-shards",
                                         "qwen3"),
                         [](const auto& model) {
                           std::string name = model.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

// The smallest llama: what each test leaves out or adds decides.
struct Small {
  GgufWriter writer;
  Small() {
    writer.put_text("general.architecture", "llama");
    for (const auto& [key, value] : std::initializer_list<std::pair<const char*, std::uint32_t>>{
             {"llama.block_count", 1},
             {"llama.context_length", 16},
             {"llama.embedding_length", 4},
             {"llama.feed_forward_length", 4},
             {"llama.attention.head_count", 2}})
      writer.put_u32(key, value);
    writer.put_f32("llama.attention.layer_norm_rms_epsilon", 1e-5f);
    add("token_embd.weight", {3, 4});
  }
  void add(const char* name, std::vector<std::int64_t> shape) {
    std::size_t elements = 1;
    for (std::int64_t length : shape) elements *= static_cast<std::size_t>(length);
    writer.announce(name, WeightType::kF32, shape);
    tensors.emplace_back(elements, 1.0f);
  }
  // The config, or what is wrong with the file.
  std::string config(ModelConfig* out = nullptr) {
    const TempFolder folder;
    const Path path = folder / "m.gguf";
    EXPECT_TRUE(writer.start(path));
    for (const auto& values : tensors)
      EXPECT_TRUE(writer.write_tensor(as_bytes(std::span<const float>(values))));
    EXPECT_TRUE(writer.finish());
    const auto mapped = MappedFile::open(path);
    const auto file = read_gguf(mapped->view(), "m.gguf");
    if (!file) return file.error().what;
    const auto read = gguf_config(*file);
    if (!read) return read.error().what;
    const auto weights = gguf_weights(*file, *read);
    if (!weights) return weights.error().what;
    if (out != nullptr) *out = *read;
    return "";
  }
  std::vector<std::vector<float>> tensors;
};

void expect_part(const std::string& what, std::string_view part) {
  EXPECT_NE(what.find(part), std::string::npos) << "\"" << what << "\" lacks " << part;
}

TEST(GgufConfig, HasDefaultsForWhatIsNotSaid) {
  Small small;
  ModelConfig config;
  ASSERT_EQ(small.config(&config), "");
  EXPECT_EQ(config.kv_heads, 2);
  EXPECT_EQ(config.head_dim, 2);
  EXPECT_EQ(config.rope_theta, 10000);
  EXPECT_TRUE(config.tied_embeddings);
  EXPECT_EQ(config.bos_id, -1);
  EXPECT_TRUE(config.eos_ids.empty());
  EXPECT_FALSE(config.qkv_bias || config.output_bias || config.mlp_bias || config.qk_norm);
}

TEST(GgufConfig, ReadsOptions) {
  Small small;
  small.writer.put_u32("llama.attention.sliding_window", 8);
  small.writer.put_u32("llama.attention.key_length", 6);
  small.writer.put_u32("llama.attention.value_length", 6);
  small.writer.put_f32("llama.rope.freq_base", 5e5f);
  small.writer.put_text("llama.rope.scaling.type", "linear");
  small.writer.put_f32("llama.rope.scaling.factor", 2);
  small.writer.put_u32("llama.expert_count", 0);
  small.writer.put_flag("llama.use_parallel_residual", true);
  small.writer.put_u32("tokenizer.ggml.eos_token_id", 2);
  small.writer.put_u32("tokenizer.ggml.eot_token_id", 1);
  small.add("output.weight", {3, 4});
  small.tensors.back()[0] = 2;
  small.add("blk.0.attn_q.bias", {12});
  ModelConfig config;
  ASSERT_EQ(small.config(&config), "");
  EXPECT_EQ(config.windows, std::vector<int>{8});
  EXPECT_EQ(config.head_dim, 6);
  EXPECT_EQ(config.rope_theta, 5e5);
  EXPECT_EQ(config.rope.kind, RopeScaling::Kind::kLinear);
  EXPECT_EQ(config.rope.factor, 2);
  EXPECT_EQ(config.eos_ids, (std::vector<int>{2, 1}));
  EXPECT_TRUE(config.qkv_bias);
  EXPECT_FALSE(config.tied_embeddings);
}

TEST(GgufConfig, AHeadEqualToTheEmbeddingIsTied) {
  Small small;
  small.add("output.weight", {3, 4});
  ModelConfig config;
  ASSERT_EQ(small.config(&config), "");
  EXPECT_TRUE(config.tied_embeddings);
}

TEST(GgufConfig, RefusesByNameWhatIsNotImplemented) {
  const auto with = [](auto&& change) {
    Small small;
    change(small);
    return small.config();
  };
  expect_part(with([](Small& s) { s.writer.put_u32("llama.expert_count", 8); }),
              "\"llama.expert_count\" asks for something");
  expect_part(with([](Small& s) { s.writer.put_f32("llama.logit_scale", 2); }),
              "\"llama.logit_scale\" asks for something");
  expect_part(with([](Small& s) { s.writer.put_text("llama.rope.scaling.type", "yarn"); }),
              "\"yarn\" is not supported");
  expect_part(with([](Small& s) { s.writer.put_u32("llama.rope.dimension_count", 1); }),
              "a part of each head is rotated");
  expect_part(with([](Small& s) { s.writer.put_u32("llama.attention.value_length", 4); }),
              "value_length");
  expect_part(with([](Small& s) { s.writer.put_u32("split.count", 2); }), "one of 2 parts");
  expect_part(with([](Small& s) { s.add("rope_freqs.weight", {1}), s.tensors.back()[0] = 0.5f; }),
              "is not Llama 3's scaling");
  expect_part(with([](Small& s) {
                s.add("blk.0.ffn_gate_exps.weight", {2, 2});
              }),
              "\"blk.0.ffn_gate_exps.weight\" belongs to no part of a llama");
  expect_part(with([](Small& s) { s.add("blk.0.attn_q.weight", {5, 4}); }), "has 5 rows for 2");
}

TEST(GgufConfig, RefusesAnotherArchitecture) {
  Bytes file = to_bytes(as_bytes("GGUF"));
  const TempFolder folder;
  GgufWriter writer;
  writer.put_text("general.architecture", "rwkv7");
  ASSERT_TRUE(writer.start(folder / "m.gguf"));
  ASSERT_TRUE(writer.finish());
  const auto mapped = MappedFile::open(folder / "m.gguf");
  const auto read = read_gguf(mapped->view(), "m.gguf");
  ASSERT_TRUE(read) << read.error().what;
  expect_part(gguf_config(*read).error().what, "\"rwkv7\" is not supported");
  expect_part(gguf_tokenizer(*read).error().what, "\"tokenizer.ggml.model\" is missing");
}

TEST(GgufConfig, ReadsWhatItWrote) {
  for (const char* name : {"gpt2", "llama-bias-linear", "llama3-tied-shards", "qwen3"}) {
    const auto files = open_model_folder(kFolders / name);
    ASSERT_TRUE(files) << files.error().what;
    const auto config = read_config(*files);
    ASSERT_TRUE(config) << config.error().what;
    const TempFolder folder;
    GgufWriter writer;
    ASSERT_TRUE(put_gguf_config(*config, name, writer));
    const auto tokenizer = read_tokenizer(*files);
    ASSERT_TRUE(tokenizer) << tokenizer.error().what;
    const auto put = put_gguf_tokenizer(*tokenizer, config->vocab_size, writer);
    ASSERT_TRUE(put) << put.error().what;
    std::vector<std::vector<float>> tensors;
    for (const WeightShape& weight : weight_shapes(*config)) {
      if (weight.optional) continue;
      const auto place = gguf_place(*config, weight.name);
      ASSERT_TRUE(place) << weight.name;
      std::vector<std::int64_t> shape = weight.shape;
      if (place->transposed) std::swap(shape[0], shape[1]);
      std::int64_t elements = 1;
      for (std::int64_t length : shape) elements *= length;
      writer.announce(place->name, WeightType::kF32, shape);
      tensors.emplace_back(static_cast<std::size_t>(elements), static_cast<float>(tensors.size()));
    }
    if (const auto divisors = gguf_rope_divisors(*config); !divisors.empty()) {
      const std::int64_t shape[] = {static_cast<std::int64_t>(divisors.size())};
      writer.announce("rope_freqs.weight", WeightType::kF32, shape);
      tensors.push_back(divisors);
    }
    ASSERT_TRUE(writer.start(folder / "m.gguf"));
    for (const auto& values : tensors)
      ASSERT_TRUE(writer.write_tensor(as_bytes(std::span<const float>(values))));
    ASSERT_TRUE(writer.finish());
    const auto again_files = open_model_folder(folder.path());
    ASSERT_TRUE(again_files);
    auto again = read_config(*again_files);
    ASSERT_TRUE(again) << again.error().what;
    again->rope.original_positions = config->rope.original_positions;
    EXPECT_EQ(*again, *config) << name;
    const auto weights = Weights::open(*again_files);
    ASSERT_TRUE(weights) << weights.error().what;
    EXPECT_TRUE(check_weights(*again, *weights, "m.gguf"));
    const auto same = read_tokenizer(*again_files);
    ASSERT_TRUE(same) << same.error().what;
    for (const char* text : kSentences)
      EXPECT_EQ(same->encode(text, true), tokenizer->encode(text, true)) << text;
    EXPECT_EQ(same->bos_id(), tokenizer->bos_id());
    EXPECT_EQ(same->eos_id(), tokenizer->eos_id());
  }
}

TEST(GgufConfig, WindowsThatDifferByLayerHaveNoPlace) {
  ModelConfig config;
  config.layers = 2;
  config.windows = {0, 8};
  GgufWriter writer;
  const auto written = put_gguf_config(config, "m", writer);
  ASSERT_FALSE(written);
  expect_part(written.error().what, "windows");
}

struct SmallTokenizer {
  GgufWriter writer;
  explicit SmallTokenizer(std::string_view model) {
    writer.put_text("tokenizer.ggml.model", model);
  }
  void tokens(const std::vector<std::string>& texts, const std::vector<std::int32_t>& kinds) {
    writer.put_texts("tokenizer.ggml.tokens", texts);
    writer.put_i32s("tokenizer.ggml.token_type", kinds);
  }
  // The ids of `text`, or what is wrong with the file.
  Result<std::vector<TokenId>> ids(std::string_view text) {
    const TempFolder folder;
    EXPECT_TRUE(writer.start(folder / "m.gguf"));
    EXPECT_TRUE(writer.finish());
    const auto mapped = MappedFile::open(folder / "m.gguf");
    const auto file = read_gguf(mapped->view(), "m.gguf");
    EXPECT_TRUE(file) << file.error().what;
    TRY_ASSIGN(const Tokenizer tokenizer, gguf_tokenizer(*file));
    return tokenizer.encode(text, true);
  }
  std::string refusal() {
    const auto read = ids("a");
    return read ? "accepted" : read.error().what;
  }
};

TEST(GgufTokenizer, MergesBytesByRankAndFindsSpecialTokens) {
  SmallTokenizer small("gpt2");
  small.writer.put_text("tokenizer.ggml.pre", "smollm");
  small.tokens({"<|e|>", "a", "b", "\u0120", "\u0120a", "<tool>", "[PAD]"}, {3, 1, 1, 1, 1, 4, 5});
  small.writer.put_texts("tokenizer.ggml.merges", std::vector<std::string>{"\u0120 a"});
  EXPECT_EQ(*small.ids("b a<|e|><tool>"), (std::vector<TokenId>{2, 4, 0, 5}));
}

TEST(GgufTokenizer, MergesPiecesByScoreAndPutsBosFirst) {
  SmallTokenizer small("llama");
  small.tokens({"<unk>", "<s>", "<0x62>", "\u2581", "a", "aa", "\u2581a"}, {2, 3, 6, 1, 1, 1, 1});
  small.writer.put_f32s("tokenizer.ggml.scores", std::vector<float>{0, 0, 0, -9, -9, -2, -1});
  small.writer.put_u32("tokenizer.ggml.bos_token_id", 1);
  small.writer.put_u32("tokenizer.ggml.unknown_token_id", 0);
  EXPECT_EQ(*small.ids("aaab"), (std::vector<TokenId>{1, 6, 5, 2}));
}

TEST(GgufTokenizer, RefusesByName) {
  const auto with = [](std::string_view model, auto&& change) {
    SmallTokenizer small(model);
    change(small);
    return small.refusal();
  };
  const auto plain = [](SmallTokenizer& s) { s.tokens({"a", "b"}, {1, 1}); };
  const std::vector<std::string> merge = {"a b"}, odd = {"ab"};
  expect_part(with("bert", plain), "\"bert\" is not supported");
  expect_part(with("gpt2", plain), "\"tokenizer.ggml.pre\" is missing");
  expect_part(with("gpt2",
                   [&](SmallTokenizer& s) {
                     plain(s);
                     s.writer.put_text("tokenizer.ggml.pre", "tekken");
                   }),
              "\"tekken\" is not supported");
  for (const auto& merges : {merge, odd})
    expect_part(with("gpt2",
                     [&](SmallTokenizer& s) {
                       plain(s);
                       s.writer.put_text("tokenizer.ggml.pre", "gpt-2");
                       s.writer.put_texts("tokenizer.ggml.merges", merges);
                     }),
                merges == odd ? "is not two tokens" : "needs a token that is not in");
  expect_part(with("llama", plain), "\"tokenizer.ggml.scores\" is missing");
  expect_part(with("llama",
                   [&](SmallTokenizer& s) {
                     plain(s);
                     s.writer.put_f32s("tokenizer.ggml.scores", std::vector<float>{0});
                   }),
              "differ in length");
  expect_part(with("llama",
                   [](SmallTokenizer& s) {
                     s.tokens({"a"}, {1, 1});
                   }),
              "differ in length");
  expect_part(with("llama",
                   [](SmallTokenizer& s) {
                     s.tokens({"a", "a"}, {1, 1});
                   }),
              "two tokens are \"a\"");
  expect_part(with("llama", [](SmallTokenizer& s) { s.tokens({""}, {1}); }), "is empty");
}

TEST(GgufTokenizer, IsNotWrittenWhereAGgufHasNoNameForIt) {
  const auto refusal = [](std::string_view parts, int rows) {
    const std::string json =
        R"({"model": {"type": "BPE", "vocab": {"a": 0, "b": 1}, "merges": []}, )" +
        std::string(parts) + "}";
    const auto tokenizer = Tokenizer::parse(json, "tokenizer.json");
    EXPECT_TRUE(tokenizer) << tokenizer.error().what;
    GgufWriter writer;
    const auto put = put_gguf_tokenizer(*tokenizer, rows, writer);
    return put ? std::string("written") : put.error().what;
  };
  const std::string bytes = R"("decoder": {"type": "ByteLevel"}, "pre_tokenizer": )"
                            R"({"type": "ByteLevel", "add_prefix_space": true})";
  EXPECT_EQ(refusal(bytes, 2), "written");
  expect_part(refusal(bytes, 1), "more tokens than the model");
  expect_part(refusal(bytes + R"(, "normalizer": {"type": "Lowercase"})", 2), "has no name for");
  expect_part(refusal(bytes + R"(, "post_processor": {"type": "TemplateProcessing", "single": [
                  {"SpecialToken": {"id": "a"}}, {"SpecialToken": {"id": "b"}},
                  {"Sequence": {"id": "A"}}], "special_tokens": {
                  "a": {"ids": [0]}, "b": {"ids": [1]}}})",
                      2),
              "other tokens than bos and eos");
}

}  // namespace
}  // namespace freshet
