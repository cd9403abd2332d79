// `freshet model generate` as people type it, with a tiny model of tests/trainer/golden.

#include <gtest/gtest.h>

#include "base/exit_code.h"
#include "base/files.h"
#include "base/flags.h"
#include "base/json.h"
#include "base/limits.h"
#include "cli/model/verbs.h"

namespace freshet {
namespace {

using Words = std::vector<std::string>;
using Ids = std::vector<int>;

struct Ran {
  int code = -1;
  std::string out, errors;
  Json json() const { return parse_json(out, "output").value(); }
};

Ran generate(Words words, const std::string& model = "qwen3") {
  words.insert(words.begin(), {"generate", "tests/trainer/golden/" + model, "--threads", "1"});
  Command app("test", "model");
  Verb chosen;
  add_generate(app, chosen);
  Ran ran;
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  const auto over = app.parse(words);
  ran.code = over ? *over : chosen();
  std::fflush(stdout);
  ran.out = testing::internal::GetCapturedStdout();
  ran.errors = testing::internal::GetCapturedStderr();
  return ran;
}

Json expected(const std::string& model = "qwen3") {
  const std::string path = "tests/trainer/golden/" + model + "/expected.json";
  return parse_json(read_file(path, limits::kMiB).value(), path).value();
}

std::string listed(const Ids& ids) {
  std::string text;
  for (const int id : ids) text += (text.empty() ? "" : ",") + std::to_string(id);
  return text;
}

TEST(Generate, ContinuesIdsAsTransformersDoes) {
  for (const char* model : {"gpt2", "mistral-window", "llama3-tied-shards"}) {
    const Json greedy = expected(model)["greedy"];
    const Ids prompt = greedy["prompt"].get<Ids>(), wanted = greedy["ids"].get<Ids>();
    const Ran ran = generate({"--prompt-ids", listed(prompt), "--max-tokens",
                              std::to_string(wanted.size()), "--greedy", "--json"},
                             model);
    ASSERT_EQ(ran.code, 0) << ran.errors;
    const Json made = ran.json();
    EXPECT_EQ(made["prompt_ids"].get<Ids>(), prompt);
    EXPECT_EQ(made["ids"].get<Ids>(), wanted) << model;
    EXPECT_EQ(made["stopped"], "length");
    EXPECT_GT(made["tokens_per_second"].get<double>(), 0);
  }
}

TEST(Generate, ShowsTheLogitsOfAnAdapter) {
  const Json lora = expected()["lora"];
  const Ids ids = expected()["ids"][0].get<Ids>();
  const Ran ran = generate({"--prompt-ids", listed(ids), "--max-tokens", "1", "--greedy",
                            "--adapter", "tests/trainer/golden/qwen3/adapter", "--precision", "f32",
                            "--logits", "16", "--json"});
  ASSERT_EQ(ran.code, 0) << ran.errors;
  const auto logits = ran.json()["prompt_logits"].get<std::vector<double>>();
  ASSERT_EQ(logits.size(), 16u);
  for (std::size_t i = 0; i < logits.size(); ++i)
    EXPECT_NEAR(logits[i], lora["logits"][i].get<double>(),
                1e-4 * lora["logits_max"].get<double>());
}

// z + (z_tuned - z) is z_tuned: a model that is moved by its own adapter says what the adapter
// says.
TEST(Generate, IsMovedByWhatTuningChangedInASmallModel) {
  const Ids ids = expected()["ids"][0].get<Ids>();
  const std::string model = "tests/trainer/golden/qwen3", adapter = model + "/adapter";
  const Words both = {"--prompt-ids", listed(ids), "--max-tokens", "8",           "--greedy",
                      "--json",       "--logits",  "64",           "--precision", "f32"};
  Words tuned = both, moved = both, still = both, foreign = both;
  tuned.insert(tuned.end(), {"--adapter", adapter});
  moved.insert(moved.end(), {"--proxy-base", model, "--proxy-tuned", adapter});
  still.insert(still.end(),
               {"--proxy-base", model, "--proxy-tuned", adapter, "--proxy-weight", "0"});
  foreign.insert(foreign.end(), {"--proxy-base", "models/edge-slm", "--proxy-tuned", adapter});
  const Ran plain = generate(both), of_adapter = generate(tuned), of_proxy = generate(moved),
            of_none = generate(still);
  ASSERT_EQ(of_proxy.code, 0) << of_proxy.errors;
  EXPECT_EQ(of_proxy.json()["ids"], of_adapter.json()["ids"]);
  EXPECT_EQ(of_none.json()["prompt_logits"], plain.json()["prompt_logits"]);
  const auto wanted = of_adapter.json()["prompt_logits"].get<std::vector<float>>(),
             found = of_proxy.json()["prompt_logits"].get<std::vector<float>>();
  for (std::size_t i = 0; i < wanted.size(); ++i) EXPECT_NEAR(found[i], wanted[i], 1e-3);
  EXPECT_NE(found, plain.json()["prompt_logits"].get<std::vector<float>>());
  const Ran refused = generate(foreign);
  EXPECT_EQ(refused.code, static_cast<int>(ExitCode::kBadInput));
  EXPECT_NE(refused.errors.find("tokenizer"), std::string::npos);
}

TEST(Generate, PrintsTheTextThatItsJsonHolds) {
  const Words words = {"--prompt", "the river", "--max-tokens", "12",
                       "--seed",   "5",         "--top-k",      "9"};
  Words as_json = words;
  as_json.emplace_back("--json");
  const Ran plain = generate(words), json = generate(as_json);
  ASSERT_EQ(plain.code, 0) << plain.errors;
  ASSERT_EQ(json.code, 0) << json.errors;
  const Json text(plain.out.substr(0, plain.out.size() - 1));
  EXPECT_EQ(parse_json(to_text(text), "text").value(), json.json()["text"]);
  EXPECT_TRUE(plain.out.starts_with("the river")) << plain.out;
}

TEST(Generate, EndsAtAStopText) {
  const Words words = {"--prompt", "the river", "--max-tokens", "30", "--greedy", "--json"};
  const Json whole = generate(words).json();
  const auto text = whole["text"].get<std::string>();
  const std::string rest = text.substr(std::string("the river").size());
  std::size_t at = 0;  // two characters of ASCII
  while (at + 2 < rest.size() && ((rest[at] & 0x80) != 0 || (rest[at + 1] & 0x80) != 0)) ++at;
  ASSERT_LT(at + 2, rest.size());
  Words stopping = words;
  stopping.insert(stopping.end(), {"--stop", "no such text", "--stop", rest.substr(at, 2)});
  const Json stopped = generate(stopping).json();
  EXPECT_EQ(stopped["stopped"], "stop");
  EXPECT_EQ(stopped["text"], "the river" + rest.substr(0, rest.find(rest.substr(at, 2))));
}

TEST(Generate, WorksInEveryPrecision) {
  for (const char* precision : {"auto", "f32", "bf16", "int8", "nf4"}) {
    const Ran ran =
        generate({"--prompt", "a", "--max-tokens", "3", "--precision", precision, "--json"});
    ASSERT_EQ(ran.code, 0) << precision << ran.errors;
  }
}

TEST(Generate, SaysWhatIsWrong) {
  struct Case {
    Words words;
    int code;
    std::string says;
  };
  std::string many = "1";
  for (int i = 0; i < 200; ++i) many += ",1";
  const Case cases[] = {
      {{}, 2, "--chat MESSAGE is required"},
      {{"--prompt", "a", "--prompt-ids", "1"}, 2, "excludes"},
      {{"--prompt", "a", "--greedy", "--temperature", "2"}, 2, "excludes"},
      {{"--prompt", "a", "--system", "b"}, 2, "--chat"},
      {{"--prompt", "a", "--logits", "3"}, 2, "--json"},
      {{"--prompt", "a", "--top-p", "0"}, 2, "--top-p"},
      {{"--prompt", ""}, 3, "the prompt is empty"},
      {{"--prompt-ids", "100000"}, 3, "id 100000 is not in the model's vocabulary"},
      {{"--prompt-ids", many}, 3, "the prompt has 201 tokens"},
      {{"--chat", "hello"}, 3, "--chat"},
      {{"--prompt", "a", "--adapter", "tests/trainer/golden/gpt2/adapter"}, 3, "adapter"},
  };
  for (const Case& one : cases) {
    const Ran ran = generate(one.words);
    EXPECT_EQ(ran.code, one.code) << one.says << ran.out;
    EXPECT_NE(ran.errors.find(one.says), std::string::npos) << one.says << " in " << ran.errors;
    EXPECT_EQ(ran.out, "");
  }
}

}  // namespace
}  // namespace freshet
