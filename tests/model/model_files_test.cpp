#include "model/files/model_files.h"

#include <gtest/gtest.h>

#include "model/language_model.h"
#include "tests/temp_folder.h"

namespace freshet {
namespace {

void put(const TempFolder& folder, const char* name, std::string_view text) {
  ASSERT_TRUE(write_file_durably(folder / name, as_bytes(text)));
}

void put_model(const TempFolder& folder) {
  put(folder, "config.json", "{}");
  put(folder, "tokenizer.json", "[]");
  put(folder, "model.safetensors", "weights");
}

TEST(ModelFiles, SaysWhichFileIsMissing) {
  const TempFolder folder;
  for (const char* name : {"config.json", "tokenizer.json", "model.safetensors"}) {
    put_model(folder);
    std::filesystem::remove(folder / name);
    const auto files = open_model_folder(folder.path());
    ASSERT_FALSE(files) << name;
    EXPECT_EQ(files.error().code, Code::kBadInput);
    EXPECT_NE(files.error().what.find(std::string("no ") + name), std::string::npos)
        << files.error().what;
  }
  EXPECT_NE(open_model_folder(folder / "nowhere").error().what.find("no such folder"),
            std::string::npos);
}

TEST(ModelFiles, OpensShardsAndNamesTheMissingOne) {
  const TempFolder folder;
  put(folder, "config.json", "{}");
  put(folder, "tokenizer.json", "[]");
  put(folder, "model.safetensors.index.json", R"({"weight_map": {"x": "b.st", "y": "a.st"}})");
  put(folder, "b.st", "2");
  const auto missing = open_model_folder(folder.path());
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().what.find("no a.st"), std::string::npos) << missing.error().what;
  put(folder, "a.st", "1");
  put(folder, "chat_template.jinja", "t");
  const auto files = open_model_folder(folder.path());
  ASSERT_TRUE(files) << files.error().what;
  ASSERT_EQ(files->weights.size(), 2u);
  EXPECT_EQ(files->weights[0].name, (folder / "a.st").string());
  EXPECT_TRUE(files->index.fd && files->chat_template.fd);
  EXPECT_FALSE(files->tokenizer_config.fd || files->generation_config.fd || files->is_gguf());
}

TEST(ModelFiles, TakesOneGgufByItsNameOrItsFolder) {
  const TempFolder folder;
  put(folder, "one.gguf", "1");
  for (const Path& path : {folder.path(), folder / "one.gguf"}) {
    const auto files = open_model_folder(path);
    ASSERT_TRUE(files) << files.error().what;
    EXPECT_TRUE(files->is_gguf());
    ASSERT_EQ(files->weights.size(), 1u);
    EXPECT_EQ(files->weights[0].name, (folder / "one.gguf").string());
  }
  put(folder, "two.gguf", "2");
  EXPECT_NE(open_model_folder(folder.path()).error().what.find("more than one .gguf"),
            std::string::npos);
  EXPECT_NE(*model_digest(*open_model_folder(folder / "one.gguf")),
            *model_digest(*open_model_folder(folder / "two.gguf")));
  put_model(folder);  // a folder of Hugging Face's form is that, whatever else lies in it
  EXPECT_FALSE(open_model_folder(folder.path())->is_gguf());
}

TEST(ModelFiles, DigestOfThreeFilesStaysWhatItWas) {
  const TempFolder folder;
  put_model(folder);
  EXPECT_EQ(to_hex(*model_digest(*open_model_folder(folder.path()))),
            "2bbf134a9dbc365f731525767715c48251acca6c455ce1c16731f245e1374b0f");
}

TEST(ModelFiles, DigestChangesWithEveryFileAndEveryBorder) {
  const TempFolder folder;
  const auto digest = [&] { return *model_digest(*open_model_folder(folder.path())); };
  put_model(folder);
  const Digest first = digest();
  EXPECT_EQ(digest(), first);
  for (const char* name : {"config.json", "tokenizer.json", "model.safetensors"}) {
    put_model(folder);
    put(folder, name, "other");
    EXPECT_NE(digest(), first) << name;
  }
  put(folder, "config.json", "{}[");
  put(folder, "tokenizer.json", "]");
  put(folder, "model.safetensors", "weights");
  EXPECT_NE(digest(), first);
}

TEST(ModelFiles, RefusesATokenizerWithMoreIdsThanTheModel) {
  const auto tokenizer = Tokenizer::parse(
      R"({"model": {"type": "BPE", "vocab": {"a": 0, "b": 9}, "merges": []}})", "tokenizer.json");
  ASSERT_TRUE(tokenizer) << tokenizer.error().what;
  ModelConfig config;
  config.vocab_size = 10;
  EXPECT_TRUE(check_tokenizer_matches(config, *tokenizer));
  config.vocab_size = 9;
  const auto refused = check_tokenizer_matches(config, *tokenizer);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().what.find("10 tokens and the model 9"), std::string::npos)
      << refused.error().what;
}

TEST(Evaluation, CountsBitsPerByteOfTheText) {
  Evaluation evaluation;
  EXPECT_EQ(evaluation.bits_per_byte(), 0);
  evaluation.tokens = 2;
  evaluation.bytes = 4;
  evaluation.nll = 5.545177444479562;  // 8 ln 2
  EXPECT_DOUBLE_EQ(evaluation.bits_per_byte(), 2);
  EXPECT_DOUBLE_EQ(evaluation.nll_per_token(), 2.772588722239781);
}

}  // namespace
}  // namespace freshet
