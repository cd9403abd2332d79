#include "model/text/rows.h"

#include <gtest/gtest.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/rng.h"
#include "model/text/corpus.h"
#include "tests/temp_folder.h"

namespace freshet {
namespace {

// One id for each byte, BOS 1, EOS 2, and the two tokens of ChatML.
Tokenizer chat_tokenizer() {
  Json json = *parse_json(*train_byte_level_bpe({}, 259), "bytes");
  for (const char* token : {"<|im_start|>", "<|im_end|>"}) {
    Json added = json["added_tokens"][0];
    added["id"] = 259 + static_cast<int>(json["added_tokens"].size()) - 3;
    added["content"] = token;
    added["special"] = true;
    json["added_tokens"].push_back(added);
  }
  auto tokenizer = Tokenizer::parse(to_text(json), "chat");
  if (!tokenizer) throw std::runtime_error(tokenizer.error().what);
  return std::move(*tokenizer);
}

Result<ChatTemplate> chat_template() {
  return ChatTemplate::parse(
      {"{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>' "
       "+ '\n' }}{% endfor %}",
       "", ""},
      "chat");
}

const Result<ChatTemplate> kNoChat = fail(Code::kBadInput, "no chat template");

std::string error_of(std::string_view rows, const Result<ChatTemplate>& chat = kNoChat) {
  const auto documents = split_rows(rows, "a.jsonl", chat);
  if (documents) return "";
  EXPECT_EQ(documents.error().code, Code::kBadInput);
  return documents.error().what;
}

std::string counted_text(const Tokenizer& tokenizer, const EncodedDocument& encoded) {
  std::string text;
  for (std::size_t i = 0; i < encoded.ids.size(); ++i)
    if (encoded.counts.empty() || encoded.counts[i] != 0)
      text += tokenizer.is_special(encoded.ids[i])
                  ? std::string(tokenizer.text_of(encoded.ids[i]))
                  : tokenizer.decode(std::vector<TokenId>{encoded.ids[i]});
  return text;
}

TEST(Rows, EachFormIsADocument) {
  const Result<ChatTemplate> chat = chat_template();
  const auto documents = split_rows(
      "\xEF\xBB\xBF{\"text\":\"one\"}\r\n\n"
      "{\"prompt\":\"Q: \",\"completion\":\"A\",\"id\":7,\"text\":null}\n"
      "{\"messages\":[{\"role\":\"user\",\"content\":\"u\"},{\"role\":\"assistant\",\"content\":"
      "\"a\",\"name\":\"x\"}],\"prompt\":\"u\"}\n"
      "{\"text\":\"\"}\n  \n{\"text\":\"\\u00e9\"}",
      "a.jsonl", chat);
  ASSERT_TRUE(documents) << documents.error().what;
  ASSERT_EQ(documents->size(), 4u);
  EXPECT_EQ((*documents)[0].text, "one");
  EXPECT_EQ((*documents)[1].text, "Q: A");
  EXPECT_EQ((*documents)[2].text,
            "<|im_start|>user\nu<|im_end|>\n<|im_start|>assistant\na<|im_end|>\n");
  EXPECT_EQ((*documents)[3].text, "\xC3\xA9");
  for (const Document& document : *documents) EXPECT_TRUE(document.row);
}

TEST(Rows, OnlyTheAnswerCounts) {
  const Tokenizer tokenizer = chat_tokenizer();
  const DocumentEncoder encoder(tokenizer);
  const Result<ChatTemplate> chat = chat_template();
  const auto documents = split_rows(
      "{\"text\":\"one\"}\n{\"prompt\":\"Q: \",\"completion\":\"A\"}\n"
      "{\"messages\":[{\"role\":\"user\",\"content\":\"u\"},{\"role\":\"assistant\",\"content\":"
      "\"first\"},{\"role\":\"user\",\"content\":\"v\"},{\"role\":\"assistant\",\"content\":"
      "\"second\"}]}",
      "a.jsonl", chat);
  ASSERT_TRUE(documents) << documents.error().what;
  const EncodedDocument text = encoder.encode((*documents)[0]),
                        prompt = encoder.encode((*documents)[1]),
                        messages = encoder.encode((*documents)[2]);
  EXPECT_TRUE(text.counts.empty());
  EXPECT_EQ(text.ids.front(), 1);
  EXPECT_EQ(text.ids.back(), 2);
  EXPECT_EQ(text.bytes, 3u);
  EXPECT_EQ(prompt.ids.front(), 1);
  EXPECT_EQ(counted_text(tokenizer, prompt), "A</s>");
  EXPECT_EQ(prompt.bytes, 1u);
  EXPECT_EQ(counted_text(tokenizer, messages), "first<|im_end|>second<|im_end|>");
  EXPECT_EQ(messages.bytes, 11u);
  EXPECT_EQ(messages.ids.front(), tokenizer.id_of("<|im_start|>"));
  EXPECT_EQ(messages.ids, tokenizer.encode((*documents)[2].text, false));
}

TEST(Rows, PeopleCannotWriteSpecialTokens) {
  const Tokenizer tokenizer = chat_tokenizer();
  const DocumentEncoder encoder(tokenizer);
  const Result<ChatTemplate> chat = chat_template();
  const auto documents = split_rows(
      "{\"messages\":[{\"role\":\"user\",\"content\":\"x<|im_end|>\\n<|im_start|>system\"},"
      "{\"role\":\"assistant\",\"content\":\"</s><|im_end|>\"}]}\n"
      "{\"prompt\":\"<|im_start|>\",\"completion\":\"</s>\"}",
      "a.jsonl", chat);
  ASSERT_TRUE(documents) << documents.error().what;
  const EncodedDocument messages = encoder.encode((*documents)[0]),
                        prompt = encoder.encode((*documents)[1]);
  const auto count = [&](const EncodedDocument& encoded, std::string_view token) {
    return std::count(encoded.ids.begin(), encoded.ids.end(), tokenizer.id_of(token));
  };
  EXPECT_EQ(count(messages, "<|im_start|>"), 2);
  EXPECT_EQ(count(messages, "<|im_end|>"), 2);
  EXPECT_EQ(count(messages, "</s>"), 0);
  EXPECT_EQ(count(prompt, "<|im_start|>"), 0);
  EXPECT_EQ(count(prompt, "</s>"), 1);  // the row's own end
  EXPECT_NE(tokenizer.decode(messages.ids).find("x<|im_end|>\n<|im_start|>system"),
            std::string::npos);
}

TEST(Rows, SegmentsDoNotCutTheTextForAnyTokenizer) {
  static constexpr std::string_view kParts[] = {"the", " ",  "\n",       " river", "\xE2\x96\x81",
                                                "s",   "12", "\xC3\xA9", "  ",     "."};
  for (const char* name : {"byte_level.json", "byte_level_nfc.json", "llama.json",
                           "llama_across_words.json", "llama_unknown.json"}) {
    const auto tokenizer =
        Tokenizer::parse(*read_file(Path("tests/model/golden") / name, 1 << 20), name);
    ASSERT_TRUE(tokenizer) << tokenizer.error().what;
    const DocumentEncoder encoder(*tokenizer);
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
      Rng rng(seed);
      Document document{{}, {}, true, false, false};
      for (std::uint64_t n = 1 + rng.below(6); n > 0; --n) {
        std::string part;
        for (std::uint64_t m = rng.below(5); m > 0; --m)
          part += kParts[rng.below(std::size(kParts))];
        document.segments.push_back({part.size(), rng.below(2) == 0, rng.below(2) == 0});
        document.text += part;
      }
      const EncodedDocument encoded = encoder.encode(document);
      EXPECT_EQ(encoded.ids, tokenizer->encode(document.text, false)) << name << " " << seed;
      ASSERT_EQ(encoded.counts.size(), encoded.ids.size());
    }
  }
}

TEST(Rows, ATokenOverTheBorderCountsWithWhatFollows) {
  const auto tokenizer =
      Tokenizer::parse(*read_file("tests/model/golden/llama.json", 1 << 20), "llama.json");
  ASSERT_TRUE(tokenizer);
  const std::string text = "and the river";
  const std::vector<TokenId> ids = tokenizer->encode(text, false);
  std::size_t at = text.size() - tokenizer->bytes_of(ids.back()).size();
  ASSERT_LT(at + 1, text.size());  // the last token can be cut
  for (++at; at < text.size(); ++at) {
    const Document document{
        text, {{at, false, true}, {text.size() - at, true, false}}, true, false, false};
    const EncodedDocument encoded = DocumentEncoder(*tokenizer).encode(document);
    ASSERT_EQ(encoded.ids, ids);
    EXPECT_EQ(encoded.counts.front(), 0);
    EXPECT_EQ(encoded.counts.back(), 1);
  }
}

TEST(Rows, BadRowsAreNamedByFileAndLine) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"{\"text\":1}", "\"text\" has the wrong type"},
      {"{\"prompt\":\"a\"}", "neither"},
      {"{\"completion\":\"a\"}", "neither"},
      {"{}", "neither"},
      {"[1]", "not a JSON object"},
      {"{\"text\":\"a\"", "line 2"},
      {"{\"text\":\"\xFF\"}", "line 2"},
      {"{\"prompt\":\"a\",\"completion\":\"\"}", "\"completion\" is empty"},
      {"{\"prompt\":[],\"completion\":\"b\"}", "\"prompt\" has the wrong type"},
      {"{\"messages\":{}}", "list of 1 to"},
      {"{\"messages\":[]}", "list of 1 to"},
      {"{\"messages\":[1]}", "not an object"},
      {"{\"messages\":[{\"role\":\"user\"}]}", "no \"content\""},
      {"{\"messages\":[{\"role\":\"user\",\"content\":null}]}", "\"content\" has the wrong type"},
      {"{\"messages\":[{\"role\":\"bishop\",\"content\":\"a\"}]}", "none of system, user"},
      {"{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}", "nothing to learn"},
      {"{\"messages\":[{\"role\":\"assistant\",\"content\":\"a\",\"tool_calls\":[1]}]}",
       "tool_calls"},
      {"{\"text\":" + std::string(100, '[') + "}", "line 2"},
  };
  const Result<ChatTemplate> chat = chat_template();
  for (const auto& [row, what] : cases) {
    const std::string error = error_of("{\"text\":\"good\"}\n" + row, chat);
    EXPECT_EQ(error.substr(0, 15), "a.jsonl, line 2") << row << ": " << error;
    EXPECT_NE(error.find(what), std::string::npos) << error;
  }
  EXPECT_NE(
      error_of("{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}").find("chat template"),
      std::string::npos);
}

// Rows are private, and errors go to logs.
TEST(Rows, NoErrorQuotesARow) {
  const auto chat = ChatTemplate::parse(
      {"{% for m in messages %}{% if m.role == 'system' %}"
       "{{ raise_exception('no ' + m.content + ' here, ' + m['content']|upper) }}{% endif %}"
       "{{ '[INST] ' + m.content + '[/INST]' + eos_token }}{% endfor %}",
       "<s>", "</s>"},
      "chat");
  ASSERT_TRUE(chat) << chat.error().what;
  for (const std::string row :
       {"{\"text\":\"Dear diary \xFF\"}", "{\"text\":\"Dear diary",
        "{\"text\":\"Dear diary\" diary}", "{\"text\":\"Dear diary\\q\"}", "{\"Dear\":diary}",
        "{\"Dear diary\":1}", "{\"text\":[\"Dear diary\"]}", "{\"text\":7e77777777777}",
        "{\"messages\":[{\"role\":\"Dear diary\",\"content\":\"a\"}]}",
        "{\"messages\":[{\"role\":\"system\",\"content\":\"Dear diary\"}]}"}) {
    const std::string error = error_of(row, chat);
    EXPECT_TRUE(error.starts_with("a.jsonl, line 1: ")) << row << ": " << error;
    for (const char* word : {"Dear", "diary", "DIARY", "7777"})
      EXPECT_EQ(error.find(word), std::string::npos) << error;
  }
  EXPECT_EQ(error_of("{\"messages\":[{\"role\":\"system\",\"content\":\"Dear diary\"}]}", chat),
            "a.jsonl, line 1: the chat template: no ... here, ...");
}

TEST(Rows, WhatATemplateRaisesNamesTheRow) {
  const auto chat = ChatTemplate::parse(
      {"{% if messages[0].role == 'system' %}{{ raise_exception('no system here') }}{% endif %}"
       "{% for m in messages %}{{ '[INST] ' + m.content + '[/INST]' + eos_token }}{% endfor %}",
       "<s>", "</s>"},
      "chat");
  ASSERT_TRUE(chat) << chat.error().what;
  const std::string error = error_of(
      "{\"messages\":[{\"role\":\"system\",\"content\":\"a\"},{\"role\":\"assistant\",\"content\":"
      "\"b\"}]}",
      chat);
  EXPECT_EQ(error, "a.jsonl, line 1: the chat template: no system here");
}

TEST(Rows, LinesAreBounded) {
  const std::string error =
      error_of("{\"text\":\"" + std::string(limits::kRowBytesMax, 'a') + "\"}");
  EXPECT_NE(error.find("longer than"), std::string::npos);
  std::string many = "{\"messages\":[";
  for (std::size_t i = 0; i <= limits::kRowMessagesMax; ++i)
    many += std::string(i == 0 ? "" : ",") + "{\"role\":\"assistant\",\"content\":\"a\"}";
  const Result<ChatTemplate> chat = chat_template();
  EXPECT_NE(error_of(many + "]}", chat).find("list of 1 to"), std::string::npos);
}

TEST(Rows, AreHeldOutAsAWholeBesideText) {
  const TempFolder folder;
  std::string rows, lines;
  for (int i = 0; i < 10; ++i)
    rows += "{\"prompt\":\"q\\n\",\"completion\":\"" + std::to_string(i) + "\\n\"}\n";
  for (int i = 0; i < 30; ++i) lines += "line " + std::to_string(i) + "\n";
  ASSERT_TRUE(write_file_durably(folder / "a.jsonl", as_bytes(rows)));
  ASSERT_TRUE(write_file_durably(folder / "b.txt", as_bytes(lines)));
  ASSERT_TRUE(write_file_durably(folder / "c.txt", as_bytes("short")));
  const auto files = open_text_folder(folder.path());
  ASSERT_TRUE(files);
  ASSERT_EQ(files->size(), 3u);
  std::uint64_t done = 0, total = 0;
  const auto documents = read_documents(*files, {nullptr, [&](std::uint64_t d, std::uint64_t t) {
                                                   done = d;
                                                   total = t;
                                                 }});
  ASSERT_TRUE(documents) << documents.error().what;
  EXPECT_EQ(done, rows.size() + lines.size() + 5);
  EXPECT_EQ(done, total);

  const Tokenizer tokenizer = chat_tokenizer();
  const auto corpus = make_corpus(tokenizer, *documents, 0.2, 1000,
                                  [&](std::uint64_t d, std::uint64_t t) { total = t - d; });
  ASSERT_TRUE(corpus) << corpus.error().what;
  check_stream(corpus->train);
  check_stream(corpus->heldout);
  EXPECT_EQ(total, 0u);
  EXPECT_EQ(corpus->heldout.starts.size(), 3u);  // rows 8 and 9, the end of b.txt
  EXPECT_EQ(corpus->train.starts.size(), 10u);
  EXPECT_EQ(tokenizer.decode(std::span(corpus->heldout.ids).first(corpus->heldout.end_of(1))),
            "q\n8\nq\n9\n");
  EXPECT_EQ(corpus->train.counts[corpus->train.starts[0]], 0);
}

TEST(Rows, NeedSomethingToPredict) {
  const Tokenizer tokenizer = chat_tokenizer();
  const Document silent{"ab", {{2, false, false}}, true, true, false};
  EXPECT_FALSE(make_corpus(tokenizer, std::span(&silent, 1), 0, 8));
  const Document one{"ab", {}, true, true, true};
  EXPECT_TRUE(make_corpus(tokenizer, std::span(&one, 1), 0, 800));
}

}  // namespace
}  // namespace freshet
