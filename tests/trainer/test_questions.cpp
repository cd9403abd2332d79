// What nodes are asked and answer: models of any size about the same question, silence about their
// own text, and what the large model makes of the mean.

#include <gtest/gtest.h>

#include <numeric>

#include "tests/trainer/tiny_transformer.h"
#include "trainer/adaptation/own_text.h"
#include "trainer/adaptation/questions.h"
#include "trainer/adaptation/teach.h"
#include "trainer/finetune.h"

namespace freshet {
namespace {

constexpr int kAskedVocabulary = 32, kAskedWindow = 32;

Transformer asked_model(int hidden, std::uint64_t seed, int vocabulary = kAskedVocabulary) {
  return tiny_transformer({.vocabulary = vocabulary, .hidden = hidden}, seed);
}

// Each id is followed by one of two.
TokenStream asked_text(std::size_t count, std::uint64_t seed) {
  Rng rng(seed);
  std::vector<TokenId> ids{1};
  while (ids.size() < count)
    ids.push_back((ids.back() + 11 + static_cast<TokenId>(rng.below(2))) % kAskedVocabulary);
  TokenStream stream;
  stream.append(ids, {}, count);
  return stream;
}

Question asked(const Transformer& llm, const Transformer& slm, const TokenStream& text) {
  return make_question(llm, slm, prompts_of(text, kAskedWindow, 4).value(), 6).value();
}

const std::vector<float> kNoAdapter;
constexpr AnswerTerms kSure{.temperature = 1, .slope = 0, .full = 0};

double sum_of(std::span<const float> values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

TEST(Answering, HasOneShapeWhateverTheModelAndAddsUpToTheConfidence) {
  const Transformer llm = asked_model(24, 8), slm = asked_model(16, 7), other = asked_model(32, 9);
  const Question question = asked(llm, slm, asked_text(400, 3));
  const TokenStream own = asked_text(400, 4);
  for (const Transformer* model : {&slm, &other}) {
    const auto values = answer_question({*model, {}, kNoAdapter}, own, question, kSure);
    ASSERT_TRUE(values) << values.error().what;
    ASSERT_EQ(values->size(), answer_layout(4 * kAskedWindow, 6).size);
    for (std::size_t at = 0; at < values->size(); at += 7)
      EXPECT_NEAR(sum_of(std::span(*values).subspan(at, 7)), 1, 1e-5);
  }
}

TEST(Answering, IsSilentOnPromptsThatHoldItsOwnText) {
  const Transformer llm = asked_model(24, 8), slm = asked_model(16, 7);
  const TokenStream text = asked_text(400, 3);
  const Question question = asked(llm, slm, text);
  TokenStream own = asked_text(200, 4);  // and the second prompt, but for its ends
  const auto second = static_cast<std::ptrdiff_t>(kAskedWindow);
  own.ids.insert(own.ids.end(), question.ids.begin() + second + 4,
                 question.ids.begin() + second + 4 + static_cast<std::ptrdiff_t>(kOwnRun));
  const auto values = answer_question({slm, {}, kNoAdapter}, own, question, kSure);
  ASSERT_TRUE(values);
  const std::size_t prompt = kAskedWindow * 7;
  EXPECT_EQ(sum_of(std::span(*values).subspan(prompt, prompt)), 0);
  EXPECT_NEAR(sum_of(std::span(*values).first(prompt)), kAskedWindow, 1e-3);
}

TEST(Answering, RefusesAVocabularyThatTheModelDoesNotHave) {
  const Transformer llm = asked_model(24, 8), slm = asked_model(16, 7),
                    poor = asked_model(16, 7, kAskedVocabulary - 1);
  const Question question = asked(llm, slm, asked_text(400, 3));
  const auto refused = answer_question({poor, {}, kNoAdapter}, asked_text(100, 4), question, kSure);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().what.find("claims more than it holds"), std::string::npos);
  EXPECT_FALSE(make_question(llm, poor, prompts_of(asked_text(400, 3), 32, 2).value(), 6));
}

TEST(Answering, TeachesTheLargeModelWhatTunedNodesKnow) {
  const Transformer llm = asked_model(24, 8), slm = asked_model(16, 7);
  const TokenStream secret = asked_text(4000, 2);
  const FinetunePlan tuning = {.adapter = {.rank = 8, .alpha = 16},
                               .train_a = true,
                               .train_b = true,
                               .steps = 150,
                               .batch = 8,
                               .window = 16,
                               .lr = 2e-2f,
                               .seed = 3};
  const auto tuned = finetune(slm, tuning, {}, secret, {});
  ASSERT_TRUE(tuned);
  Rng rng(9);  // prompts that say nothing about it
  std::vector<TokenId> noise(2000);
  for (TokenId& id : noise) id = static_cast<TokenId>(rng.below(kAskedVocabulary));
  TokenStream text;
  text.append(noise, {}, noise.size());
  const Question question =
      make_question(llm, slm, prompts_of(text, kAskedWindow, 0).value(), 16).value();
  const auto mean = answer_question({slm, tuning.adapter, tuned->adapter}, secret, question, kSure);
  ASSERT_TRUE(mean);
  TeachPlan plan;
  plan.of_public = false;
  plan.of_answers = true;
  plan.steps = 150;
  plan.keeping = 0;
  plan.lr = 1e-2f;
  plan.top_k = 8;
  plan.window = 32;
  const Teacher nobody{slm, {}, kNoAdapter};
  const auto learned = teach(llm, nobody, plan, {nullptr, &question, &*mean});
  ASSERT_TRUE(learned) << learned.error().what;
  const auto loss = [&](const std::vector<float>& adapter) {
    return evaluate(llm, plan.adapter, adapter, secret.ids, 1, 16, {})->nll_per_token();
  };
  EXPECT_LT(loss(learned->adapter), loss({}) - 0.3);

  std::vector<float> wrong = *mean;
  wrong.pop_back();
  EXPECT_FALSE(teach(llm, nobody, plan, {nullptr, &question, &wrong})) << "another shape";
  wrong = *mean;
  wrong[5] = std::nanf("");
  EXPECT_FALSE(teach(llm, nobody, plan, {nullptr, &question, &wrong})) << "no number";
  EXPECT_FALSE(teach(llm, nobody, plan, {})) << "nothing was answered";
}

}  // namespace
}  // namespace freshet
