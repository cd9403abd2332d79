// Teaching: what a tuned teacher knows reaches a student over text that does not say it, and over
// text that it wrote.

#include <gtest/gtest.h>

#include <cmath>

#include "tests/trainer/tiny_transformer.h"
#include "trainer/adaptation/teach.h"
#include "trainer/finetune.h"
#include "trainer/kernels/loops.h"
#include "trainer/model_folder.h"

namespace freshet {
namespace {

constexpr int kTaughtVocabulary = 32;

// A language with something to learn: each id is followed by one of two.
TokenStream secret_walk(std::size_t count, int step, std::uint64_t seed) {
  Rng rng(seed);
  std::vector<TokenId> ids{1};
  while (ids.size() < count)
    ids.push_back((ids.back() + step + static_cast<TokenId>(rng.below(2))) % kTaughtVocabulary);
  TokenStream stream;
  stream.append(ids, {}, count);
  return stream;
}

Transformer taught_transformer(int vocabulary, int hidden, std::uint64_t seed) {
  return tiny_transformer({.vocabulary = vocabulary, .hidden = hidden, .positions = 256}, seed);
}

TeachPlan teaching_of(int steps) {
  return {.adapter = {.rank = 8, .alpha = 16, .targets = {}},
          .steps = steps,
          .batch = 4,
          .window = 16,
          .keeping = 0,
          .public_sequences = 0,
          .lr = 1e-2f,
          .top_k = 8,
          .temperature = 1,
          .weight = 1,
          .weight_end = 1,
          .seed = 3};
}

Result<Finetuned> taught_on(const Transformer& student, const Teacher& teacher,
                            const TeachPlan& plan, const TokenStream& text) {
  return teach(student, teacher, plan, {&text});
}

double loss_after(const Transformer& model, const AdapterSpec& spec,
                  const std::vector<float>& adapter, const TokenStream& text) {
  const Result<Evaluation> measured = evaluate(model, spec, adapter, text.ids, 1, 16, {});
  EXPECT_TRUE(measured) << measured.error().what;
  return measured->nll_per_token();
}

TEST(Finetune, LearnsTheTextAndIsTheSameEveryTime) {
  const Transformer model = taught_transformer(kTaughtVocabulary, 16, 7);
  const FinetunePlan plan = {.adapter = {.rank = 8, .alpha = 16, .targets = {}},
                             .train_a = true,
                             .train_b = true,
                             .steps = 150,
                             .batch = 4,
                             .window = 16,
                             .lr = 2e-2f,
                             .seed = 3};
  const TokenStream text = secret_walk(4000, 11, 2);
  const Result<Finetuned> a = finetune(model, plan, {}, text, {}),
                          b = finetune(model, plan, {}, text, {});
  ASSERT_TRUE(a && b);
  EXPECT_EQ(a->adapter, b->adapter);
  EXPECT_LT(a->last_loss, a->first_loss - 0.5);
  EXPECT_LT(loss_after(model, plan.adapter, a->adapter, text),
            loss_after(model, plan.adapter, {}, text) - 0.5);
}

TEST(Teach, TeachesTheStudentWhatTheTextDoesNotSay) {
  // The teacher knows secret_walk(11); the public text is noise, which says nothing about it.
  const Transformer student = taught_transformer(kTaughtVocabulary, 16, 7),
                    teacher = taught_transformer(kTaughtVocabulary, 24, 8);
  const TokenStream secret = secret_walk(4000, 11, 2);
  const FinetunePlan tuning = {.adapter = {.rank = 8, .alpha = 16, .targets = {}},
                               .train_a = true,
                               .train_b = true,
                               .steps = 200,
                               .batch = 8,
                               .window = 16,
                               .lr = 2e-2f,
                               .seed = 3};
  const Result<Finetuned> tuned = finetune(teacher, tuning, {}, secret, {});
  ASSERT_TRUE(tuned);
  Rng rng(9);
  std::vector<TokenId> ids(4000);
  for (TokenId& id : ids) id = static_cast<TokenId>(rng.below(kTaughtVocabulary));
  TokenStream noise;
  noise.append(ids, {}, ids.size());
  TeachPlan plan = teaching_of(200);
  const Teacher tuned_teacher{teacher, tuning.adapter, tuned->adapter};
  const Result<Finetuned> shifted = taught_on(student, tuned_teacher, plan, noise);
  plan.shift = false;
  const Result<Finetuned> taught = taught_on(student, tuned_teacher, plan, noise);
  plan.of_public = false;
  plan.of_written = true;
  plan.written_sequences = 100;
  const Result<Finetuned> written = taught_on(student, tuned_teacher, plan, {});
  ASSERT_TRUE(shifted && taught && written);
  const double before = loss_after(student, plan.adapter, {}, secret);
  EXPECT_LT(loss_after(student, plan.adapter, taught->adapter, secret), before - 0.3);
  EXPECT_LT(loss_after(student, plan.adapter, shifted->adapter, secret), before - 0.1);
  EXPECT_LT(loss_after(student, plan.adapter, written->adapter, secret),
            loss_after(student, plan.adapter, taught->adapter, secret) - 0.1)
      << "text that the teacher wrote says what it knows";
}

TEST(Teach, ATeacherThatKnowsLessDoesNoHarm) {
  // Its tuning changed nothing, and where it speaks for itself the gate is closed.
  const LoadedModel slm =
      load_model(open_model_folder("models/edge-slm").value(), Precision::kF32).value();
  const Result<std::string> readme = read_file("README.md", 1 << 20);
  ASSERT_TRUE(readme);
  TokenStream known;
  const std::vector<TokenId> ids =
      slm.tokenizer.encode(std::string_view(*readme).substr(0, 6000), false);
  known.append(ids, {}, 6000);
  const Transformer ignorant = taught_transformer(slm.model.config.vocab_size, 16, 3);
  TeachPlan plan = teaching_of(60);
  plan.lr = 1e-3f;
  const std::vector<float> none;
  const Result<Finetuned> shifted =
      taught_on(slm.model, {ignorant, plan.adapter, none}, plan, known);
  plan.shift = false;
  const Result<Finetuned> gated = taught_on(slm.model, {ignorant, plan.adapter, none}, plan, known);
  ASSERT_TRUE(shifted && gated);
  const double before = loss_after(slm.model, plan.adapter, {}, known);
  EXPECT_LT(loss_after(slm.model, plan.adapter, shifted->adapter, known), before + 0.05);
  EXPECT_LT(loss_after(slm.model, plan.adapter, gated->adapter, known), before + 0.05);
}

TEST(Teach, RefusesModelsThatDoNotShareAVocabulary) {
  const Transformer student = taught_transformer(kTaughtVocabulary, 16, 7),
                    teacher = taught_transformer(kTaughtVocabulary + 1, 16, 7);
  const std::vector<float> none;
  EXPECT_FALSE(taught_on(student, {teacher, {}, none}, teaching_of(2), secret_walk(500, 3, 1)));
  TeachPlan greedy = teaching_of(2);
  greedy.top_k = kTaughtVocabulary + 1;
  EXPECT_FALSE(taught_on(student, {student, {}, none}, greedy, secret_walk(500, 3, 1)));
}

TEST(Distillation, HasNoGradientWhereTheStudentAgreesWithTheTeacher) {
  const int vocab = 12;
  Rng rng(4);
  std::vector<float> z(vocab), scratch(vocab);
  for (float& value : z) value = static_cast<float>(rng.normal());
  std::vector<double> p(vocab);
  double sum = 0;
  const float temperature = 2;
  for (std::size_t i = 0; i < p.size(); ++i) sum += p[i] = std::exp(z[i] / temperature);
  const std::int64_t ids[] = {3, 7, 1};
  float q[3];
  for (int i = 0; i < 3; ++i) q[i] = static_cast<float>(p[static_cast<std::size_t>(ids[i])] / sum);
  kernels::distillation(vocab, 0, {ids, q, 3, temperature, 1, 0}, z.data(), scratch.data());
  for (float gradient : z) EXPECT_NEAR(gradient, 0, 1e-6);
}

TEST(Distillation, HasTheGradientOfItsLoss) {
  const int vocab = 12;
  Rng rng(5);
  std::vector<float> z(vocab), scratch(vocab);
  for (float& value : z) value = static_cast<float>(rng.normal());
  const std::int64_t ids[] = {3, 7, 1};
  const float q[] = {0.5f, 0.2f, 0.1f};
  const kernels::Teacher teacher{ids, q, 3, 1.5f, 0.7f, 0.3f};
  std::vector<float> gradient = z;
  kernels::distillation(vocab, 5, teacher, gradient.data(), scratch.data());
  for (std::size_t i = 0; i < z.size(); ++i) {
    auto loss_at = [&](float change) {
      std::vector<float> moved = z;
      moved[i] += change;
      return kernels::distillation(vocab, 5, teacher, moved.data(), scratch.data());
    };
    EXPECT_NEAR(gradient[i], (loss_at(1e-2f) - loss_at(-1e-2f)) / 2e-2f, 2e-3) << "entry " << i;
  }
}

}  // namespace
}  // namespace freshet
