// Against published models and tokenizers, where they stand beside the repository.

#include <gtest/gtest.h>

#include "base/json.h"
#include "model/files/model_files.h"
#include "model/files/weights.h"
#include "model/model_config.h"
#include "model/tokenizer/tokenizer.h"
#include "tests/model/shared_folder.h"

namespace freshet {
namespace {

std::string read(const Path& path) {
  auto text = read_file(path, 64 << 20);
  if (!text) throw std::runtime_error(text.error().what);
  return std::move(*text);
}

// GPT-2 is published as a vocabulary and a list of merges: the same as a tokenizer.json.
std::string gpt2_json(const Path& folder) {
  Json merges = Json::array();
  std::string text = read(folder / "merges.txt");
  for (std::size_t at = 0, end; at < text.size(); at = end + 1) {
    end = std::min(text.find('\n', at), text.size());
    const std::string line = text.substr(at, end - at);
    if (!line.empty() && !line.starts_with("#version")) merges.push_back(line);
  }
  return R"({"added_tokens": [{"id": 50256, "content": "<|endoftext|>", "special": true, "normalized": true}],
    "normalizer": null, "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false},
    "post_processor": {"type": "ByteLevel"}, "decoder": {"type": "ByteLevel"},
    "model": {"type": "BPE", "vocab": )" +
         read(folder / "vocab.json") + R"(, "merges": )" + merges.dump() + "}}";
}

const char* const kMixed =
    "It's 3.14%, caf\u00e9 \u65e5\u672c\u8a9e \U0001F600!\n\n    indented\t x<|endoftext|>Don't  "
    "stop";

TEST(PublishedTokenizers, GiveTheExpectedPromptIds) {
  FRESHET_SHARED_OR_SKIP(const Path shared);
  const Json expected = *parse_json(read(shared / "models/expected.json"), "expected.json");
  for (const char* name : {"stories260K", "babyllama-chars"}) {
    const auto tokenizer =
        Tokenizer::parse(read(shared / "models" / name / "tokenizer.json"), name);
    ASSERT_TRUE(tokenizer) << tokenizer.error().what;
    const std::string prompt = expected[name]["prompt"].get<std::string>();
    const auto ids = tokenizer->encode(prompt, true);
    EXPECT_EQ(ids, expected[name]["prompt_ids"].get<std::vector<TokenId>>()) << name;
    EXPECT_EQ(tokenizer->decode(ids), prompt) << name;
  }
}

TEST(PublishedTokenizers, ModelsOpenAndFitTheirTokenizers) {
  FRESHET_SHARED_OR_SKIP(const Path shared);
  for (const char* name : {"stories260K", "babyllama-chars"}) {
    const auto files = open_model_folder(shared / "models" / name);
    ASSERT_TRUE(files) << files.error().what;
    const auto config = parse_model_config(read(files->config.name), files->config.name);
    const auto tokenizer = Tokenizer::parse(read(files->tokenizer.name), files->tokenizer.name);
    ASSERT_TRUE(config) << config.error().what;
    ASSERT_TRUE(tokenizer) << tokenizer.error().what;
    EXPECT_TRUE(check_tokenizer_matches(*config, *tokenizer)) << name;
    const auto weights = Weights::open(*files);
    ASSERT_TRUE(weights) << weights.error().what;
    const WeightView* embedding = weights->find("model.embed_tokens.weight");
    ASSERT_NE(embedding, nullptr);
    EXPECT_EQ(embedding->shape,
              (std::vector<std::int64_t>{config->vocab_size, config->hidden_size}));
  }
}

TEST(PublishedTokenizers, Gpt2GivesTheseIds) {
  FRESHET_SHARED_OR_SKIP(const Path shared);
  const auto tokenizer = Tokenizer::parse(gpt2_json(shared / "tokenizers/gpt2"), "gpt2");
  ASSERT_TRUE(tokenizer) << tokenizer.error().what;
  EXPECT_EQ(tokenizer->vocab_size(), 50257);
  EXPECT_EQ(tokenizer->eos_id(), 50256);
  EXPECT_EQ(tokenizer->encode(kMixed, false),
            (std::vector<TokenId>{1026,  338, 513,   13,  1415,  7441,  40304, 10545, 245, 98,
                                  17312, 105, 45739, 252, 30325, 222,   0,     628,   220, 220,
                                  220,   773, 4714,  197, 2124,  50256, 3987,  470,   220, 2245}));
}

TEST(PublishedTokenizers, GptNeoxGivesTheseIds) {
  FRESHET_SHARED_OR_SKIP(const Path shared);
  const auto tokenizer =
      Tokenizer::parse(read(shared / "tokenizers/gpt_neox_20b/tokenizer.json"), "neox");
  ASSERT_TRUE(tokenizer) << tokenizer.error().what;
  EXPECT_EQ(tokenizer->encode(kMixed, false),
            (std::vector<TokenId>{1147,  434,  495,   15,   1047, 5294,  36241, 209, 49868,
                                  19119, 241,  49042, 211,  2,    535,   50274, 527, 8006,
                                  186,   1269, 0,     5498, 626,  50276, 13121}));
}

TEST(PublishedTokenizers, GiveBackRealText) {
  FRESHET_SHARED_OR_SKIP(const Path shared);
  const auto gpt2 = Tokenizer::parse(gpt2_json(shared / "tokenizers/gpt2"), "gpt2");
  const auto stories =
      Tokenizer::parse(read(shared / "models/stories260K/tokenizer.json"), "stories260K");
  ASSERT_TRUE(gpt2 && stories);
  for (const char* name : {"text/tinyshakespeare.txt", "text/pubmedqa_1k.json"}) {
    const std::string text = read(shared / name).substr(0, 1 << 20);
    EXPECT_TRUE(gpt2->decode(gpt2->encode(text, false)) == text) << name;
    EXPECT_TRUE(stories->decode(stories->encode(text, false)) == text) << name;
  }
}

}  // namespace
}  // namespace freshet
