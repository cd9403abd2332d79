// Published models and independent reference values, where the folder with them lies beside the
// repository.

#include <gtest/gtest.h>

#include <cstdlib>

#include "base/json.h"
#include "base/limits.h"
#include "model/text/corpus.h"
#include "trainer/local_model.h"

namespace freshet {
namespace {

Path shared_folder() {
  const char* named = std::getenv("FRESHET_SHARED");
  return named ? Path(named) : Path("../shared");
}

class PublishedModel : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    std::error_code error;
    if (!std::filesystem::exists(shared_folder() / "models" / "expected.json", error))
      GTEST_SKIP() << "no reference models at " << shared_folder()
                   << " (FRESHET_SHARED names the folder)";
    const Result<std::string> text =
        read_file(shared_folder() / "models" / "expected.json", limits::kMiB);
    ASSERT_TRUE(text) << text.error().what;
    expected_ = (*parse_json(*text, "expected.json"))[GetParam()];
    Result<ModelFiles> files = open_model_folder(shared_folder() / "models" / GetParam());
    ASSERT_TRUE(files) << files.error().what;
    Result<LocalModel> model = LocalModel::load(*files);
    ASSERT_TRUE(model) << model.error().what;
    model_.emplace(std::move(*model));
  }
  Json expected_;
  std::optional<LocalModel> model_;
};

TEST_P(PublishedModel, ContinuesThePromptAsTheReferenceDoes) {
  const auto prompt = model_->tokenizer().encode(expected_["prompt"].get<std::string>(), true);
  EXPECT_EQ(prompt, expected_["prompt_ids"].get<std::vector<TokenId>>());
  const auto want = expected_["greedy_ids"].get<std::vector<TokenId>>();
  const Result<Generated> made = model_->generate(
      {}, {}, prompt, {.tokens_max = static_cast<int>(want.size()), .greedy = true});
  ASSERT_TRUE(made) << made.error().what;
  EXPECT_EQ(made->ids, want);
  const auto logits = expected_["last_logits_first8"].get<std::vector<float>>();
  for (std::size_t i = 0; i < logits.size(); ++i)
    EXPECT_NEAR(made->prompt_logits[i], logits[i], 1e-3) << "id " << i;
}

TEST_P(PublishedModel, HasTheLossOfTheReference) {
  const Result<std::string> text =
      read_file(shared_folder() / "text" / "tinystories_2MiB.txt", 4 * limits::kMiB);
  ASSERT_TRUE(text) << text.error().what;
  const auto documents =
      split_documents(std::string_view(*text).substr(0, 20'000), "tinystories");  // ASCII
  ASSERT_TRUE(documents);
  EXPECT_EQ(documents->size(), expected_["docs"].get<std::size_t>());
  double nll = 0;
  std::uint64_t tokens = 0;
  for (const Document& document : *documents) {
    auto ids = model_->tokenizer().encode(document.text, true);
    ids.resize(std::min(ids.size(), static_cast<std::size_t>(model_->config().max_positions)));
    const auto one =
        model_->evaluate({}, {}, ids, document.text.size(), static_cast<int>(ids.size()) - 1);
    ASSERT_TRUE(one) << one.error().what;
    nll += one->nll;
    tokens += one->tokens;
  }
  EXPECT_EQ(tokens, expected_["tokens"].get<std::uint64_t>());
  EXPECT_NEAR(nll / static_cast<double>(tokens), expected_["nll_per_token"].get<double>(), 1e-4);
}

INSTANTIATE_TEST_SUITE_P(Shared, PublishedModel,
                         ::testing::Values("stories260K", "babyllama-chars"), [](const auto& one) {
                           return std::string(one.param) == "stories260K" ? "Stories" : "Babyllama";
                         });

}  // namespace
}  // namespace freshet
