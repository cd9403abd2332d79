// Tokenizers of every form against the ids of the Python package (golden/make_tokenizer_forms.py).

#include <gtest/gtest.h>

#include "base/files.h"
#include "base/json.h"
#include "model/tokenizer/stream_decoder.h"
#include "model/tokenizer/tokenizer.h"
#include "model/tokenizer/tokenizer_file.h"

namespace freshet {
namespace {

using SortedJson = nlohmann::json;

struct Form {
  std::string name, json;
  SortedJson ids;  // by text
};

struct Forms {
  std::vector<std::string> texts;
  std::vector<Form> forms;
};

Forms load_forms(const char* file) {
  const SortedJson golden =
      SortedJson::parse(*read_file(Path("tests/model/golden") / file, 1 << 20));
  Forms loaded{golden["texts"].get<std::vector<std::string>>(), {}};
  const SortedJson* first = nullptr;
  for (const auto& [name, form] : golden["forms"].items())
    if (name == "gpt2" || name == "llama2") first = &form;
  for (const auto& [name, form] : golden["forms"].items()) {
    SortedJson json = form;
    json.erase("ids");
    json["model"] = golden["model"];
    json["model"].update(form["model"]);
    SortedJson ids = form["ids"];
    for (std::size_t i = 0; i < ids.size(); ++i)
      if (ids[i].is_null()) ids[i] = (*first)["ids"][i];
    loaded.forms.push_back({name, json.dump(), ids});
  }
  return loaded;
}

// Where decode() gives back every text: no normaliser, no lost white space, no space put before.
bool exact(const std::string& name) {
  for (const char* other :
       {"gpt2", "smollm2", "llama3", "digit_runs", "cl100k", "o200k", "deepseek", "roberta",
        "strings", "contiguous", "inverted", "empty_matches"})
    if (name == other) return true;
  return false;
}

class TokenizerForms : public testing::TestWithParam<const char*> {};

TEST_P(TokenizerForms, GiveTheIdsOfThePythonPackage) {
  const Forms golden = load_forms(GetParam());
  ASSERT_GE(golden.forms.size(), 12u);
  for (const Form& form : golden.forms) {
    const auto tokenizer = Tokenizer::parse(form.json, form.name);
    ASSERT_TRUE(tokenizer) << tokenizer.error().what;
    for (std::size_t i = 0; i < golden.texts.size(); ++i)
      EXPECT_EQ(tokenizer->encode(golden.texts[i], true), form.ids[i].get<std::vector<TokenId>>())
          << form.name << " " << SortedJson(golden.texts[i]);
  }
}

TEST_P(TokenizerForms, ReadTheSameWhenWritten) {
  const Forms golden = load_forms(GetParam());
  for (const Form& form : golden.forms) {
    const auto tokenizer = Tokenizer::parse(form.json, form.name);
    ASSERT_TRUE(tokenizer) << tokenizer.error().what;
    const std::string written = write_tokenizer_file(tokenizer->file());
    const auto again = Tokenizer::parse(written, form.name);
    ASSERT_TRUE(again) << again.error().what;
    EXPECT_EQ(write_tokenizer_file(again->file()), written) << form.name;
    EXPECT_EQ(again->vocab_size(), tokenizer->vocab_size());
    for (const std::string& text : golden.texts) {
      const auto ids = tokenizer->encode(text, true);
      EXPECT_EQ(again->encode(text, true), ids) << form.name << " " << SortedJson(text);
      EXPECT_EQ(again->decode(ids), tokenizer->decode(ids)) << form.name;
    }
  }
}

TEST_P(TokenizerForms, DecodeGivesBackTheTextWhereTheFormAllows) {
  const Forms golden = load_forms(GetParam());
  for (const Form& form : golden.forms) {
    if (!exact(form.name)) continue;
    const auto tokenizer = Tokenizer::parse(form.json, form.name);
    ASSERT_TRUE(tokenizer) << tokenizer.error().what;
    for (const std::string& text : golden.texts) {
      if (text.find("<|") != std::string::npos) continue;  // special tokens give no text
      EXPECT_EQ(tokenizer->decode(tokenizer->encode(text, false)), text) << form.name;
      for (std::size_t bytes = 0; bytes < std::min<std::size_t>(text.size(), 20); ++bytes)
        EXPECT_EQ(tokenizer->decode(tokenizer->encode(text.substr(0, bytes), false)),
                  text.substr(0, bytes))
            << form.name;
    }
  }
}

TEST_P(TokenizerForms, DecodedAsAStreamTheTextIsTheSame) {
  const Forms golden = load_forms(GetParam());
  for (const Form& form : golden.forms) {
    const auto tokenizer = Tokenizer::parse(form.json, form.name);
    ASSERT_TRUE(tokenizer) << tokenizer.error().what;
    StreamDecoder stream(*tokenizer, false);
    for (const std::string& text : golden.texts) {
      const auto ids = tokenizer->encode(text, true);
      std::string joined;
      for (TokenId id : ids) joined += stream.put(id);
      joined += stream.finish();
      EXPECT_EQ(joined, tokenizer->decode(ids)) << form.name << " " << SortedJson(text);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, TokenizerForms,
                         testing::Values("tokenizer_forms_bytes.json",
                                         "tokenizer_forms_marked.json"),
                         [](const auto& file) {
                           return std::string(file.param).find("bytes") != std::string::npos
                                      ? "Bytes"
                                      : "Marked";
                         });

}  // namespace
}  // namespace freshet
