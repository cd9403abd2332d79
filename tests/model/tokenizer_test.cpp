#include "model/tokenizer/tokenizer.h"

#include <gtest/gtest.h>

#include <thread>

#include "base/files.h"
#include "base/json.h"
#include "base/rng.h"
#include "model/tokenizer/byte_level.h"

namespace freshet {
namespace {

const Path kGolden = "tests/model/golden";

std::string text_of(const char* name) { return *read_file(kGolden / name, 1 << 20); }

Tokenizer tokenizer_of(const char* name) {
  auto tokenizer = Tokenizer::parse(text_of(name), name);
  if (!tokenizer) throw std::runtime_error(tokenizer.error().what);
  return std::move(*tokenizer);
}

std::string random_bytes(Rng& rng, std::size_t bytes_max) {
  static constexpr std::string_view kParts[] = {
      "the ", " river", "\xC3\xA9", "\xE2\x96\x81", "\xF0\x9F\x98\x80", "  ", "\n",
      "'s",   "<",      "0x",       "\r\n"};
  std::string text;
  for (std::size_t n = rng.below(bytes_max); text.size() < n;) {
    if (rng.below(2) == 0)
      text += static_cast<char>(rng.below(256));
    else
      text += kParts[rng.below(std::size(kParts))];
  }
  return text;
}

TEST(Tokenizer, GivesTheIdsOfThePythonPackage) {
  const Json golden = *parse_json(text_of("ids.json"), "ids.json");
  EXPECT_EQ(golden.size(), 5u);
  for (const auto& [name, cases] : golden.items()) {
    const Tokenizer tokenizer = tokenizer_of(name.c_str());
    for (const Json& item : cases)
      EXPECT_EQ(tokenizer.encode(item[0].get<std::string>(), true),
                item[1].get<std::vector<TokenId>>())
          << name << " " << item[0];
  }
}

TEST(Tokenizer, ByteLevelGivesBackEveryByte) {
  const Tokenizer tokenizer = tokenizer_of("byte_level.json");
  for (std::uint64_t seed = 0; seed < 3000; ++seed) {
    Rng rng(seed);
    const std::string text = random_bytes(rng, 80);
    ASSERT_EQ(tokenizer.decode(tokenizer.encode(text, false)), text) << "seed " << seed;
  }
}

TEST(Tokenizer, ByteFallbackGivesBackEveryByteBesideTheMarkOfASpace) {
  const Tokenizer tokenizer = tokenizer_of("llama.json");
  for (std::uint64_t seed = 0; seed < 3000; ++seed) {
    Rng rng(seed);
    const std::string text = random_bytes(rng, 80);
    if (text.find("\xE2\x96\x81") != std::string::npos) continue;
    ASSERT_EQ(tokenizer.decode(tokenizer.encode(text, false)), text) << "seed " << seed;
  }
}

TEST(Tokenizer, SpecialIdsStandAroundTheTextAndGiveNoText) {
  const Tokenizer tokenizer = tokenizer_of("byte_level.json");
  const std::vector<TokenId> plain = tokenizer.encode("the river", false),
                             special = tokenizer.encode("the river", true);
  ASSERT_EQ(special.size(), plain.size() + 2);
  EXPECT_EQ(special.front(), tokenizer.bos_id());
  EXPECT_EQ(special.back(), tokenizer.eos_id());
  EXPECT_EQ(tokenizer.decode(special), "the river");
  EXPECT_EQ(tokenizer.decode(std::vector<TokenId>{-1, 1'000'000, tokenizer.vocab_size()}), "");
}

TEST(Tokenizer, FindsBeginAndEndByTemplateOrByName) {
  EXPECT_EQ(tokenizer_of("byte_level.json").bos_id(), 1);
  EXPECT_EQ(tokenizer_of("byte_level.json").eos_id(), 2);
  EXPECT_EQ(tokenizer_of("llama.json").eos_id(), 2);  // "</s>", though no template puts it
  const auto none =
      Tokenizer::parse(R"({"model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}})", "t");
  ASSERT_TRUE(none) << none.error().what;
  EXPECT_EQ(none->bos_id(), -1);
  EXPECT_EQ(none->eos_id(), -1);
  EXPECT_EQ(none->vocab_size(), 1);
}

// Both paths that a Llama text can take: word by word, and whole where a merge joins across words.
TEST(Tokenizer, CuttingAtWordsChangesNoId) {
  Json json = *parse_json(text_of("llama.json"), "llama.json");
  json["model"]["vocab"]["z\xE2\x96\x81z"] = 5000;  // a merge over a space, which no text here has
  json["model"]["vocab"]["\xE2\x96\x81z"] = 5001;
  json["model"]["merges"].push_back("\xE2\x96\x81 z");
  json["model"]["merges"].push_back("z \xE2\x96\x81z");
  const auto whole = Tokenizer::parse(json.dump(), "whole");
  ASSERT_TRUE(whole) << whole.error().what;
  EXPECT_EQ(whole->encode("z z", false),
            (std::vector<TokenId>{5001, 5001}));  // "▁z" comes first, by rank
  const Tokenizer cut = tokenizer_of("llama.json");
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    Rng rng(seed);
    std::string text;
    for (std::size_t i = rng.below(60); i > 0; --i)
      text += "the  and in sh\xC3\xA9\xE2\x96\x81"[rng.below(20)];
    ASSERT_EQ(cut.encode(text, false), whole->encode(text, false)) << "seed " << seed;
  }
}

TEST(Tokenizer, EncodesAMillionBytesWithoutASpace) {
  std::string text;
  while (text.size() < 1'000'000) text += "thing";
  for (const char* name : {"byte_level.json", "llama.json", "llama_across_words.json"}) {
    const Tokenizer tokenizer = tokenizer_of(name);
    EXPECT_EQ(tokenizer.decode(tokenizer.encode(text, false)), text) << name;
  }
}

TEST(Tokenizer, SeveralThreadsGetTheSameIds) {
  const Tokenizer tokenizer = tokenizer_of("byte_level.json");
  std::string text;
  for (int i = 0; i < 2000; ++i) text += "the river " + std::to_string(i) + " ";
  const std::vector<TokenId> expected = tokenizer_of("byte_level.json").encode(text, true);
  std::vector<std::vector<TokenId>> got(4);
  std::vector<std::thread> threads;
  for (auto& ids : got) threads.emplace_back([&] { ids = tokenizer.encode(text, true); });
  for (std::thread& thread : threads) thread.join();
  for (const auto& ids : got) EXPECT_EQ(ids, expected);
}

TEST(Tokenizer, RefusesByNameWhatIsNotImplemented) {
  const struct {
    const char* pointer;
    const char* value;
    const char* says;
  } cases[] = {
      {"/model/type", R"("WordPiece")", "WordPiece"},
      {"/model/dropout", "0.1", "model.dropout"},
      {"/model/end_of_word_suffix", R"("</w>")", "model.end_of_word_suffix"},
      {"/model/continuing_subword_prefix", R"("##")", "model.continuing_subword_prefix"},
      {"/normalizer", R"({"type": "StripAccents"})", "StripAccents"},
      {"/normalizer", R"({"type": "Replace", "pattern": {"Regex": "\\w+"}, "content": ""})", "\\w"},
      {"/normalizer", R"({"type": "Replace", "pattern": {"String": ""}, "content": ""})",
       "Replace"},
      {"/normalizer", R"({"type": "Sequence", "normalizers": [{"type": "Precompiled"}]})",
       "Precompiled"},
      {"/pre_tokenizer", R"({"type": "Whitespace"})", "pre_tokenizer"},
      {"/pre_tokenizer",
       R"({"type": "Sequence", "pretokenizers": [{"type": "ByteLevel"}, {"type": "Digits"}]})",
       "after ByteLevel"},
      {"/pre_tokenizer",
       R"({"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"Regex": "(a"},
 "behavior": "Isolated"}, {"type": "ByteLevel"}]})",
       "the pattern (a cannot"},
      {"/pre_tokenizer", R"({"type": "Split", "pattern": {"String": "a"}, "behavior": "Whole"})",
       "Whole"},
      {"/post_processor", R"({"type": "WordPieceProcessing"})", "WordPieceProcessing"},
      {"/post_processor",
       R"({"type": "TemplateProcessing", "single": [{"Sequence": {"id": "B"}}], "special_tokens": {}})",
       "post_processor"},
      {"/decoder", R"({"type": "WordPiece"})", "decoder"},
      {"/decoder", "null", "decoder"},
      {"/added_tokens/0/id", "7", "contradicts"},
      {"/model/vocab", R"({"a": 0, "b": 0})", "two tokens have id 0"},
      {"/model/vocab", R"({"a": -1})", "token id -1"},
      {"/model/vocab", R"({"a": 1048576})", "token id 1048576"},
      {"/model/vocab", R"({"a": 1e300})", "token id 1e+300"},
      {"/model/vocab", R"({})", "the vocabulary is empty"},
      {"/model/vocab", R"([])", "model.vocab"},
      {"/model/vocab/the", "null", "token id null"},
      {"/model/merges/0", R"("zz yy")", "zz"},
      {"/model/merges/0", R"("a b c")", "not two tokens"},
      {"/model/merges/0", "3", "type"},
      {"/model", "null", "model"},
  };
  const Json plain = *parse_json(text_of("byte_level.json"), "byte_level.json");
  for (const auto& c : cases) {
    Json json = plain;
    json[Json::json_pointer(c.pointer)] = Json::parse(c.value);
    const auto tokenizer = Tokenizer::parse(json.dump(), "tokenizer.json");
    ASSERT_FALSE(tokenizer) << c.pointer << " " << c.value;
    EXPECT_EQ(tokenizer.error().code, Code::kBadInput);
    EXPECT_EQ(tokenizer.error().what.substr(0, 14), "tokenizer.json");
    EXPECT_NE(tokenizer.error().what.find(c.says), std::string::npos) << tokenizer.error().what;
  }
  EXPECT_FALSE(Tokenizer::parse("", "t"));
  EXPECT_FALSE(Tokenizer::parse("[]", "t"));
  EXPECT_FALSE(Tokenizer::parse(text_of("byte_level.json").substr(0, 2000), "t"));
}

TEST(ByteLevel, AlphabetIsOneToOne) {
  for (int byte = 0; byte < 256; ++byte)
    EXPECT_EQ(byte_of_character(byte_character(static_cast<std::uint8_t>(byte))), byte);
  EXPECT_EQ(byte_character(' '), U'\u0120');
  EXPECT_EQ(byte_character('\n'), U'\u010A');
  EXPECT_EQ(byte_of_character(U' '), -1);
  EXPECT_EQ(byte_of_character(0x10FFFF), -1);
  EXPECT_EQ(bytes_of_token("\xC4\xA0the"), " the");
  EXPECT_EQ(bytes_of_token("two words"), "two words");
}

TEST(ByteLevel, SplitsIntoWordsThatAreTheText) {
  const WordSplitter splitter;
  const auto words = [&](std::string_view text) {
    std::vector<std::string> list;
    splitter.split(text, [&](std::string_view word) { list.emplace_back(word); });
    return list;
  };
  EXPECT_EQ(words("It's  two\nlines, 42!"),
            (std::vector<std::string>{"It", "'s", " ", " two", "\n", "lines", ",", " 42", "!"}));
  EXPECT_EQ(words("a\xFF\xFE b"), (std::vector<std::string>{"a", "\xFF\xFE", " b"}));
  EXPECT_EQ(words(""), std::vector<std::string>{});
}

}  // namespace
}  // namespace freshet
