// What stands around the ids: forms, scores, tokenizer_config.json, streams, hostile files.

#include <gtest/gtest.h>

#include "base/json.h"
#include "model/tokenizer/added_tokens.h"
#include "model/tokenizer/forms.h"
#include "model/tokenizer/normalizer.h"
#include "model/tokenizer/stream_decoder.h"
#include "model/tokenizer/tokenizer.h"
#include "model/tokenizer/tokenizer_config.h"

namespace freshet {
namespace {

// Every byte, and "ab" and " ab" above them.
TokenizerFile byte_file(std::string_view form) {
  TokenizerFile file;
  EXPECT_TRUE(set_form(form, file));
  const Tokenizer bytes = std::move(*Tokenizer::parse(*train_byte_level_bpe({}, 259), "bytes"));
  file.vocabulary = bytes.file().vocabulary;
  file.vocabulary.emplace("ab", 259);
  file.vocabulary.emplace(
      "\xC4\xA0"
      "ab",
      260);
  const auto id = [&](const char* token) { return file.vocabulary.at(token); };
  file.merges = {{id("a"), id("b"), 259}, {id("\xC4\xA0"), 259, 260}};
  file.added = {{"<s>", 1, true}, {"</s>", 2, true}, {"<call>", 261, false}};
  return file;
}

TEST(TokenizerMake, TakesAFileMadeByHand) {
  for (const char* form : {"gpt-2", "gpt-neox", "smollm", "llama-3", "qwen2"}) {
    const auto tokenizer = Tokenizer::make(byte_file(form), form);
    ASSERT_TRUE(tokenizer) << tokenizer.error().what;
    EXPECT_EQ(tokenizer->encode("ab ab<call>", false), (std::vector<TokenId>{259, 260, 261}));
    EXPECT_EQ(tokenizer->vocab_size(), 262);
    EXPECT_EQ(tokenizer->id_of("\xC4\xA0"
                               "ab"),
              260);
    EXPECT_EQ(tokenizer->id_of("<call>"), 261);
    EXPECT_EQ(tokenizer->id_of("nothing"), -1);
    EXPECT_EQ(tokenizer->text_of(260),
              "\xC4\xA0"
              "ab");
    EXPECT_EQ(tokenizer->bytes_of(260), " ab");
    EXPECT_EQ(tokenizer->text_of(1), "<s>");
    EXPECT_EQ(tokenizer->bytes_of(1), "");
    EXPECT_TRUE(tokenizer->is_special(1));
    EXPECT_FALSE(tokenizer->is_special(261));
    EXPECT_FALSE(tokenizer->is_special(-1));
    EXPECT_EQ(tokenizer->text_of(262), "");
  }
  TokenizerFile file;
  EXPECT_FALSE(set_form("wordpiece", file));
}

TEST(TokenizerMake, RefusesWhatContradictsItself) {
  const auto refused = [](const auto& change, const char* says) {
    TokenizerFile file = byte_file("gpt-2");
    change(file);
    const auto tokenizer = Tokenizer::make(std::move(file), "x.gguf");
    ASSERT_FALSE(tokenizer) << says;
    EXPECT_TRUE(tokenizer.error().what.starts_with("x.gguf: ")) << tokenizer.error().what;
    EXPECT_NE(tokenizer.error().what.find(says), std::string::npos) << tokenizer.error().what;
  };
  refused([](auto& file) { file.merges.push_back({5, 6, 259}); }, "a merge makes");
  refused([](auto& file) { file.merges.push_back({5, 6, 9999}); }, "a merge names an id");
  refused([](auto& file) { file.merges.push_back({-1, 6, 259}); }, "a merge names an id");
  refused([](auto& file) { file.vocabulary["x"] = 900'000; }, "far beyond");
  refused([](auto& file) { file.vocabulary["x"] = -2; }, "token id -2");
  refused([](auto& file) { file.added[2].id = 900'000; }, "added token id 900000");
  refused([](auto& file) { file.added[2].id = 1; }, "contradicts");
  refused([](auto& file) { file.added[2].text = ""; }, "without content");
  refused([](auto& file) { file.before = {777}; }, "777");
  refused([](auto& file) { file.unknown = 777; }, "unknown token");
  refused([](auto& file) { file.decoder.clear(); }, "decoder");
  refused([](auto& file) { file.pre_tokenizer.resize(100); }, "pre_tokenizer");
  refused([](auto& file) { file.normalizer.resize(100); }, "normalizer");
  refused(
      [](auto& file) {
        NormalizerStep step{NormalizerStep::Kind::kReplace, "a", std::string(1000, 'a')};
        file.normalizer = {step, step, step};
      },
      "times as long");
}

TEST(TokenizerParse, RefusesHostileFiles) {
  const auto says = [](const std::string& json) {
    return Tokenizer::parse(json, "t").error().what;
  };
  EXPECT_NE(says(std::string(100'000, '[')).find("nested deeper"), std::string::npos);
  std::string deep =
      R"({"model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}, "normalizer": )";
  for (int i = 0; i < 1000; ++i) deep += R"({"type": "Sequence", "normalizers": [)";
  EXPECT_NE(says(deep).find("nested deeper"), std::string::npos);
  EXPECT_NE(says(R"({"model": {"vocab": {"a": 2147483648}, "merges": []}})").find("2147483648"),
            std::string::npos);
  EXPECT_NE(says(R"({"model": {"vocab": {"a": 1000000}, "merges": []}})").find("far beyond"),
            std::string::npos);
  EXPECT_NE(
      says(R"({"model": {"vocab": {"": 0, "a": 1}, "merges": ["a a"]}})").find("a merge needs"),
      std::string::npos);
  EXPECT_NE(
      says(R"({"model": {"vocab": {"a": 0}, "merges": []}, "added_tokens": [{"content": "b"}]})")
          .find("id"),
      std::string::npos);
  // A merge with the empty token makes nothing longer, and ends all the same.
  const auto empty = Tokenizer::parse(
      R"({"model": {"vocab": {"": 0, "a": 1}, "merges": [["", "a"], ["a", ""], ["", ""]], "unk_token": ""}})",
      "t");
  ASSERT_TRUE(empty) << empty.error().what;
  EXPECT_EQ(empty->encode("xaxxa", false), (std::vector<TokenId>{1, 1}));
}

TEST(Scores, GiveTheMergesOfASentencePieceVocabulary) {
  const std::vector<std::string> tokens = {"<unk>", "a", "b", "ab", "aba", "ba", "<0x41>"};
  const std::vector<float> scores = {0, -4, -5, -2, -1, -3, 0};
  const std::vector<bool> plain = {false, true, true, true, true, true, false};
  const auto merges = merges_from_scores(tokens, scores, plain);
  ASSERT_EQ(merges.size(), 4u);
  EXPECT_EQ(merges[0].product, 4);  // the best score first, in every way to cut it
  EXPECT_EQ(merges[1].product, 4);
  EXPECT_EQ(merges[2].product, 3);
  EXPECT_EQ(merges[3].product, 5);
}

TEST(TokenizerConfig, ReadsTokensAndTheDefaultTemplate) {
  const auto config = parse_tokenizer_config(
      R"({"bos_token": {"content": "<s>", "lstrip": false}, "eos_token": "</s>", "add_bos_token": true,
          "add_eos_token": null, "chat_template": [{"name": "rag", "template": "no"}, {"name": "default", "template": "yes"}]})",
      "c");
  ASSERT_TRUE(config) << config.error().what;
  EXPECT_EQ(config->bos_token, "<s>");
  EXPECT_EQ(config->eos_token, "</s>");
  EXPECT_EQ(config->add_bos_token, true);
  EXPECT_EQ(config->add_eos_token, std::nullopt);
  EXPECT_EQ(config->chat_template, "yes");
  EXPECT_EQ(
      parse_tokenizer_config(R"({"chat_template": "text", "bos_token": null})", "c")->chat_template,
      "text");
  for (const char* bad :
       {"[]", "{", R"({"bos_token": 3})", R"({"bos_token": {}})", R"({"add_bos_token": "yes"})",
        R"({"chat_template": [3]})", R"({"chat_template": 3})"})
    EXPECT_FALSE(parse_tokenizer_config(bad, "c")) << bad;
}

TEST(TokenizerConfig, SaysWhatStandsAroundAText) {
  auto tokenizer = Tokenizer::make(byte_file("gpt-2"), "t");
  ASSERT_TRUE(tokenizer);
  TokenizerConfig config;
  config.bos_token = "<s>";
  config.eos_token = "</s>";
  config.add_bos_token = config.add_eos_token = true;
  ASSERT_TRUE(tokenizer->apply(config, "c"));
  ASSERT_TRUE(tokenizer->apply(config, "c"));  // not twice
  EXPECT_EQ(tokenizer->encode("ab", true), (std::vector<TokenId>{1, 259, 2}));
  config.add_bos_token = false;
  ASSERT_TRUE(tokenizer->apply(config, "c"));
  EXPECT_EQ(tokenizer->encode("ab", true), (std::vector<TokenId>{259, 2}));
  config.eos_token = "<missing>";
  EXPECT_NE(tokenizer->apply(config, "c").error().what.find("<missing>"), std::string::npos);
}

TEST(StreamDecoder, HoldsBackACharacterUntilItIsWhole) {
  const auto tokenizer = Tokenizer::make(byte_file("gpt-2"), "t");
  StreamDecoder stream(*tokenizer, true);
  const auto put = [&](unsigned char byte) {
    std::string token;
    for (TokenId id = 3; id < 259; ++id)
      if (tokenizer->bytes_of(id) == std::string_view(reinterpret_cast<char*>(&byte), 1))
        return stream.put(id);
    return token;
  };
  EXPECT_EQ(put('x'), "x");
  EXPECT_EQ(put(0xF0), "");
  EXPECT_EQ(put(0x9F), "");
  EXPECT_EQ(put(0x98), "");
  EXPECT_EQ(put(0x80), "\xF0\x9F\x98\x80");
  EXPECT_EQ(put(0xC3), "");
  EXPECT_EQ(put('x'), "\xC3x");  // nothing can follow it any more
  EXPECT_EQ(put(0x80), "\x80");  // begins no character
  EXPECT_EQ(put(0xED), "");
  EXPECT_EQ(put(0xA0), "\xED\xA0");  // a surrogate
  EXPECT_EQ(put(0xE2), "");
  EXPECT_EQ(stream.finish(), "\xE2");
  EXPECT_EQ(stream.finish(), "");
}

TEST(StreamDecoder, DropsTheMarkOfABeginningOnce) {
  TokenizerFile file;
  ASSERT_TRUE(set_form("llama", file));
  file.vocabulary = {{"\xE2\x96\x81", 0},
                     {"a", 1},
                     {"\xE2\x96\x81"
                      "a",
                      2}};
  file.merges = {{0, 1, 2}};
  const auto tokenizer = Tokenizer::make(std::move(file), "t");
  ASSERT_TRUE(tokenizer) << tokenizer.error().what;
  EXPECT_EQ(tokenizer->encode("a a", false), (std::vector<TokenId>{2, 2}));
  StreamDecoder whole(*tokenizer, false), rest(*tokenizer, true);
  EXPECT_EQ(whole.put(2), "a");
  EXPECT_EQ(whole.put(2), " a");
  whole.finish();
  EXPECT_EQ(whole.put(2), "a");
  EXPECT_EQ(rest.put(2), " a");
}

TEST(Normalizer, StripsWhiteSpaceAtItsSides) {
  NormalizerStep both{NormalizerStep::Kind::kStrip, "", ""}, left = both;
  left.right = false;
  const std::string text = "\xE3\x80\x80 a b\n\xC2\xA0", broken = " \xFF ";
  EXPECT_EQ(Normalizer::make(std::vector{both})->run(text), "a b");
  EXPECT_EQ(Normalizer::make(std::vector{left})->run(text), "a b\n\xC2\xA0");
  EXPECT_EQ(Normalizer::make(std::vector{both})->run(broken), "\xFF");
  EXPECT_EQ(Normalizer::make(std::vector{both})->run("  "), "");
}

TEST(AddedTokens, TakeWhiteSpaceAlongAndStandAlone) {
  AddedTokens added;
  added.add("<m>", 1, {false, true, true});
  added.add("word", 2, {true, false, false});
  const auto log = [&](std::string_view text) {
    std::string list;
    added.cut(
        text, [&](std::string_view piece) { list += "[" + std::string(piece) + "]"; },
        [&](TokenId id) { list += std::to_string(id); });
    return list;
  };
  EXPECT_EQ(log("a \xC2\xA0<m>\n b <m> <m>c"), "[a]1[b]11[c]");
  EXPECT_EQ(log("word words aword word! \xC3\xA9word (word)"),
            "2[ words aword ]2[! \xC3\xA9word (]2[)]");
}

}  // namespace
}  // namespace freshet
