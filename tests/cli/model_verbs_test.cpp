// `freshet model merge` and `convert` as people type them.

#include <gtest/gtest.h>

#include "base/exit_code.h"
#include "base/flags.h"
#include "base/json.h"
#include "cli/model/verbs.h"
#include "model/files/model_parts.h"
#include "model/files/peft_adapter.h"
#include "tests/temp_folder.h"

namespace freshet {
namespace {

const std::string kModel = "tests/trainer/golden/qwen3", kAdapter = kModel + "/adapter";

struct Ran {
  int code;
  std::string out;
};

// The exit code, kUsage where the flags are refused, and what went to standard output.
Ran run(const std::vector<std::string>& words) {
  Command app("test", "model");
  Verb chosen;
  add_merge(app, chosen);
  add_convert(app, chosen);
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  const auto over = app.parse(words);
  const int code = over ? *over : chosen();
  const std::string errors = testing::internal::GetCapturedStderr();
  Ran ran{code, testing::internal::GetCapturedStdout()};
  EXPECT_EQ(errors.empty(), code == 0) << errors;
  return ran;
}

TEST(ModelVerbs, MergeWritesAModelAndSaysWhatItWrote) {
  const TempFolder place;
  const std::string out = (place / "out").string();
  const Ran merged = run({"merge", kModel, "--adapter", kAdapter, "--out", out, "--json"});
  ASSERT_EQ(merged.code, 0);
  const Json said = *parse_json(merged.out, "output");
  EXPECT_EQ(said["out"], out);
  EXPECT_GT(said["adapted"], 0);
  EXPECT_TRUE(read_model(*open_model_folder(out)));
  EXPECT_EQ(run({"merge", kModel, "--adapter", kAdapter, "--out", out}).code,
            static_cast<int>(ExitCode::kRefused));
  EXPECT_EQ(
      run({"merge", kModel, "--adapter", kAdapter, "--out", out, "--force", "--dtype", "f16"}).code,
      0);
  EXPECT_EQ(run({"merge", kModel, "--adapter", kModel, "--out", (place / "none").string()}).code,
            static_cast<int>(ExitCode::kBadInput));
  EXPECT_FALSE(std::filesystem::exists(place / "none"));
}

TEST(ModelVerbs, ConvertGoesThereAndBack) {
  const TempFolder place;
  const std::string gguf = (place / "m.gguf").string(), back = (place / "back").string();
  ASSERT_EQ(run({"convert", kModel, "--to", "gguf", "--out", gguf, "--dtype", "f32"}).code, 0);
  ASSERT_EQ(run({"convert", gguf, "--to", "hf", "--out", back}).code, 0);
  const auto from = read_model(*open_model_folder(kModel)),
             to = read_model(*open_model_folder(back));
  ASSERT_TRUE(from && to);
  EXPECT_EQ(from->config, to->config);
  EXPECT_EQ(from->tokenizer.encode("when the rivers rise", true),
            to->tokenizer.encode("when the rivers rise", true));
}

TEST(ModelVerbs, ConvertTakesAdaptersToo) {
  const TempFolder place;
  const std::string gguf = (place / "lora.gguf").string(), peft = (place / "peft").string();
  EXPECT_EQ(run({"convert", kModel, "--adapter", kAdapter, "--to", "gguf", "--out", gguf}).code, 0);
  EXPECT_TRUE(std::filesystem::is_regular_file(gguf));
  ASSERT_EQ(run({"convert", kModel, "--adapter", kAdapter, "--to", "peft", "--out", peft}).code, 0);
  const ModelConfig config = *read_config(*open_model_folder(kModel));
  const auto before = read_peft_adapter(*open_peft_folder(kAdapter), config),
             after = read_peft_adapter(*open_peft_folder(peft), config);
  ASSERT_TRUE(before && after);
  EXPECT_EQ(before->spec, after->spec);
  EXPECT_EQ(before->values, after->values);
}

TEST(ModelVerbs, RefuseFlagsThatDoNotGoTogether) {
  const int usage = static_cast<int>(ExitCode::kUsage);
  EXPECT_EQ(run({"convert", kModel, "--to", "peft", "--out", "x"}).code, usage);
  EXPECT_EQ(run({"convert", kModel, "--to", "hf", "--dtype", "q8_0", "--out", "x"}).code, usage);
  EXPECT_EQ(run({"convert", kModel, "--adapter", "a", "--to", "hf", "--out", "x"}).code, usage);
  EXPECT_EQ(run({"convert", kModel, "--to", "onnx", "--out", "x"}).code, usage);
  EXPECT_EQ(run({"merge", kModel, "--out", "x"}).code, usage);
}

}  // namespace
}  // namespace freshet
