// The two models under models/: what the demo and the documentation promise of them.

#include <gtest/gtest.h>

#include <algorithm>

#include "base/limits.h"
#include "trainer/local_model.h"

namespace freshet {
namespace {

constexpr const char* kProse =
    "When the water of the river rises in the spring, the people who live near it move their "
    "animals to higher ground. "
    "They have done this for many years, and most of them know the signs: the ice breaks, the wind "
    "turns to the south, and "
    "the small streams in the hills begin to run. A person who has not seen it before will think "
    "that there is still time. "
    "There is not. In a few hours the lower fields are under water, and the road to the village "
    "can no longer be used.";

LocalModel loaded(const std::string& name) {
  Result<ModelFiles> files = open_model_folder(Path("models") / name);
  EXPECT_TRUE(files) << files.error().what;
  Result<LocalModel> model = LocalModel::load(*files);
  EXPECT_TRUE(model) << model.error().what;
  return std::move(*model);
}

double bits_per_byte(LocalModel& model) {
  const std::vector<TokenId> ids = model.tokenizer().encode(kProse, true);
  const Result<Evaluation> measured = model.evaluate({}, {}, ids, std::string_view(kProse).size(),
                                                     static_cast<int>(ids.size()) - 1);
  EXPECT_TRUE(measured) << measured.error().what;
  return measured->bits_per_byte();
}

TEST(CommittedModels, ShareOneTokenizerAndHaveTheSizesThatTheyClaim) {
  LocalModel slm = loaded("edge-slm"), llm = loaded("cloud-llm");
  EXPECT_NEAR(static_cast<double>(slm.parameters()), 1e6, 0.1e6);
  EXPECT_GE(llm.parameters(), 4'000'000u);
  EXPECT_LE(llm.parameters(), 6'500'000u);
  const Result<std::string> a = read_file("models/edge-slm/tokenizer.json", limits::kMiB);
  const Result<std::string> b = read_file("models/cloud-llm/tokenizer.json", limits::kMiB);
  ASSERT_TRUE(a && b);
  EXPECT_EQ(*a, *b);
}

TEST(CommittedModels, KnowEnglishAndTheLargeOneKnowsItBetter) {
  LocalModel slm = loaded("edge-slm"), llm = loaded("cloud-llm");
  const double small = bits_per_byte(slm), large = bits_per_byte(llm);
  EXPECT_LT(small, 2.4);
  EXPECT_LT(large, small);
}

TEST(CommittedModels, WriteWords) {
  for (const char* name : {"edge-slm", "cloud-llm"}) {
    LocalModel model = loaded(name);
    const std::vector<TokenId> prompt = model.tokenizer().encode("The water of the river", true);
    const Result<Generated> made =
        model.generate({}, {}, prompt, {.tokens_max = 60, .temperature = 0.7f, .seed = 1});
    ASSERT_TRUE(made) << made.error().what;
    const std::string text = model.tokenizer().decode(made->ids);
    EXPECT_GE(std::count(text.begin(), text.end(), ' '), 15) << name << ": " << text;
    const auto letters = std::count_if(text.begin(), text.end(),
                                       [](unsigned char c) { return std::isalpha(c) || c == ' '; });
    EXPECT_GT(static_cast<double>(letters), 0.8 * static_cast<double>(text.size()))
        << name << ": " << text;
  }
}

}  // namespace
}  // namespace freshet
