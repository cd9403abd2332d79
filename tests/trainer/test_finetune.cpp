#include "trainer/finetune.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/rng.h"
#include "trainer/llama_generate.h"
#include "trainer/llama_pretrain.h"

namespace freshet {
namespace {

ModelConfig tiny_config(int hidden = 16) {
  ModelConfig config;
  config.vocab_size = 32;
  config.hidden_size = hidden;
  config.intermediate_size = 32;
  config.layers = 2;
  config.heads = config.kv_heads = 2;
  config.head_dim = hidden / 2;
  config.max_positions = 64;
  config.tied_embeddings = true;
  return config;
}

// A language with something to learn: each id is followed by one of two.
std::vector<TokenId> walk(std::size_t count, int step, std::uint64_t seed) {
  Rng rng(seed);
  std::vector<TokenId> tokens{1};
  while (tokens.size() < count) tokens.push_back((tokens.back() + step + static_cast<TokenId>(rng.below(2))) % 32);
  return tokens;
}

Llama pretrained(const std::vector<TokenId>& tokens, int hidden = 16) {
  Llama llama = random_llama(tiny_config(hidden), 7);
  PretrainPlan plan{.steps = 120, .batch = 8, .window = 16, .warmup = 10, .lr = 1e-2f, .report_every = 120};
  EXPECT_TRUE(pretrain(llama, plan, tokens, [](const PretrainPoint&) { return true; }));
  for (NamedWeight& weight : named_weights(llama)) weight.tensor->requires_grad_(false);
  llama.head = llama.embedding;
  return llama;
}

FinetunePlan short_plan() {
  return {.adapter = {.rank = 4, .alpha = 8, .targets = {}}, .train_a = true, .train_b = true, .steps = 40, .batch = 4,
          .window = 16, .lr = 1e-2f, .seed = 3};
}

TEST(Finetune, LearnsTheNewTextAndOnlyThroughTheAdapter) {
  const Llama llama = pretrained(walk(4000, 3, 1));
  const std::vector<TokenId> other = walk(4000, 11, 2);
  const at::Tensor before = llama.layers[0].projections[kQ].clone();
  const Result<Finetuned> tuned = finetune(llama, short_plan(), {}, other, {});
  ASSERT_TRUE(tuned) << tuned.error().what;
  EXPECT_LT(tuned->last_loss, tuned->first_loss - 0.5);
  EXPECT_TRUE(at::equal(before, llama.layers[0].projections[kQ]));
  const Result<Evaluation> base = evaluate(llama, {}, {}, other, 1, 16, {});
  const Result<Evaluation> adapted = evaluate(llama, short_plan().adapter, tuned->adapter, other, 1, 16, {});
  ASSERT_TRUE(base && adapted);
  EXPECT_LT(adapted->nll_per_token(), base->nll_per_token() - 0.5);
}

TEST(Finetune, IsTheSameEveryTime) {
  const Llama llama = random_llama(tiny_config(), 7);
  const std::vector<TokenId> text = walk(500, 5, 1);
  const Result<Finetuned> a = finetune(llama, short_plan(), {}, text, {}), b = finetune(llama, short_plan(), {}, text, {});
  ASSERT_TRUE(a && b);
  EXPECT_EQ(a->adapter, b->adapter);
}

TEST(Finetune, LeavesTheFrozenFactorBitForBit) {
  const Llama llama = random_llama(tiny_config(), 7);
  FinetunePlan plan = short_plan();
  plan.train_a = false;
  const Layout layout = *adapter_layout(llama.config, plan.adapter), frozen = phase_layout(layout, true, false);
  const std::vector<float> start = initial_adapter(layout, 5);
  const Result<Finetuned> tuned = finetune(llama, plan, start, walk(500, 5, 1), {});
  ASSERT_TRUE(tuned);
  EXPECT_EQ(gather(layout, frozen, start), gather(layout, frozen, tuned->adapter));
  EXPECT_NE(start, tuned->adapter);
}

TEST(Finetune, RefusesWhatDoesNotFit) {
  const Llama llama = random_llama(tiny_config(), 7);
  const std::vector<TokenId> text = walk(500, 5, 1), scrap = walk(10, 5, 1);
  EXPECT_FALSE(finetune(llama, short_plan(), std::vector<float>(3), text, {}));
  EXPECT_FALSE(finetune(llama, short_plan(), {}, scrap, {}));
  FinetunePlan wide = short_plan();
  wide.window = 65;
  EXPECT_FALSE(finetune(llama, wide, {}, text, {}));
  std::vector<float> poisoned = initial_adapter(*adapter_layout(llama.config, short_plan().adapter), 1);
  for (float& value : poisoned) value = NAN;
  EXPECT_FALSE(finetune(llama, short_plan(), poisoned, text, {}));
}

TEST(Evaluate, CountsEveryTokenButTheFirst) {
  const Llama llama = random_llama(tiny_config(), 7);
  for (std::size_t count : {2u, 16u, 17u, 33u, 150u, 300u}) {
    const Result<Evaluation> measured = evaluate(llama, {}, {}, walk(count, 5, 1), 1, 16, {});
    ASSERT_TRUE(measured);
    EXPECT_EQ(measured->tokens, count - 1);
    EXPECT_NEAR(measured->nll_per_token(), std::log(32.0), 0.2);  // nothing learned yet
  }
}

TEST(Distill, TeachesTheStudentWhatTheTextDoesNotSay) {
  // The teacher knows walk(11); the public text is noise, which says nothing about it.
  const Llama student = pretrained(walk(4000, 3, 1)), teacher = pretrained(walk(4000, 3, 1), 24);
  const std::vector<TokenId> secret = walk(4000, 11, 2);
  const Result<Finetuned> tuned = finetune(teacher, short_plan(), {}, secret, {});
  ASSERT_TRUE(tuned);
  Rng rng(9);
  std::vector<TokenId> noise(4000);
  for (TokenId& id : noise) id = static_cast<TokenId>(rng.below(32));
  DistillPlan plan{.adapter = {.rank = 4, .alpha = 8, .targets = {}}, .steps = 60, .batch = 4, .window = 16, .lr = 1e-2f,
                   .top_k = 8, .temperature = 1, .weight = 1, .weight_end = 1, .seed = 3};
  const TeacherModel tuned_teacher{teacher, short_plan().adapter, tuned->adapter};
  const Result<Finetuned> shifted = distill(student, tuned_teacher, plan, noise, {});
  plan.shift = false;
  const Result<Finetuned> taught = distill(student, tuned_teacher, plan, noise, {});
  plan.weight = plan.weight_end = 0;
  const Result<Finetuned> control = distill(student, tuned_teacher, plan, noise, {});
  ASSERT_TRUE(shifted && taught && control);
  const auto loss = [&](const std::vector<float>& adapter) {
    return evaluate(student, plan.adapter, adapter, secret, 1, 16, {})->nll_per_token();
  };
  EXPECT_LT(loss(taught->adapter), loss(control->adapter) - 0.3);
  EXPECT_LT(loss(shifted->adapter), loss(control->adapter) - 0.3);
}

TEST(Distill, ShiftTeachesNothingWhereTuningChangedNothing) {
  // This teacher knows less than the student: its own distribution would do harm, its unchanged one does none.
  const std::vector<TokenId> known = walk(4000, 3, 1);
  const Llama student = pretrained(known), ignorant = random_llama(tiny_config(), 3);
  DistillPlan plan{.adapter = {.rank = 4, .alpha = 8, .targets = {}}, .steps = 40, .batch = 4, .window = 16, .lr = 1e-2f,
                   .top_k = 8, .temperature = 1, .weight = 1, .weight_end = 1, .seed = 3};
  const auto loss = [&](const std::vector<float>& adapter) {
    return evaluate(student, plan.adapter, adapter, known, 1, 16, {})->nll_per_token();
  };
  const std::vector<float> none;
  const Result<Finetuned> shifted = distill(student, {ignorant, plan.adapter, none}, plan, known, {});
  plan.shift = false;
  const Result<Finetuned> harmed = distill(student, {ignorant, plan.adapter, none}, plan, known, {});
  ASSERT_TRUE(shifted && harmed);
  EXPECT_LT(loss(shifted->adapter), loss({}) + 0.05);
  EXPECT_GT(loss(harmed->adapter), loss({}) + 0.5);
}

TEST(Distillation, HasNoGradientWhereTheStudentAgreesWithTheTeacher) {
  const int vocab = 12;
  Rng rng(4);
  std::vector<float> z(vocab), scratch(vocab);
  for (float& value : z) value = static_cast<float>(rng.normal());
  std::vector<double> p(vocab);
  double sum = 0;
  const float temperature = 2;
  for (int i = 0; i < vocab; ++i) sum += p[i] = std::exp(z[i] / temperature);
  const std::int64_t ids[] = {3, 7, 1};
  float q[3];
  for (int i = 0; i < 3; ++i) q[i] = static_cast<float>(p[ids[i]] / sum);
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
  for (int i = 0; i < vocab; ++i) {
    auto loss_at = [&](float change) {
      std::vector<float> moved = z;
      moved[static_cast<std::size_t>(i)] += change;
      return kernels::distillation(vocab, 5, teacher, moved.data(), scratch.data());
    };
    EXPECT_NEAR(gradient[static_cast<std::size_t>(i)], (loss_at(1e-2f) - loss_at(-1e-2f)) / 2e-2f, 2e-3) << "entry " << i;
  }
}

TEST(Generate, ContinuesGreedilyAndStopsInTime) {
  const Llama llama = pretrained(walk(4000, 3, 1));
  const std::vector<TokenId> prompt{1, 4};
  const Result<Generated> text = generate(llama, {}, {}, prompt, {.tokens_max = 10, .greedy = true});
  ASSERT_TRUE(text);
  ASSERT_EQ(text->ids.size(), 10u);
  TokenId last = 4;
  for (TokenId id : text->ids) {
    EXPECT_TRUE((id - last + 32) % 32 == 3 || (id - last + 32) % 32 == 4) << last << " -> " << id;
    last = id;
  }
  EXPECT_EQ(generate(llama, {}, {}, prompt, {.tokens_max = 1000, .greedy = true})->ids.size(), 62u);  // 64 positions
  EXPECT_FALSE(generate(llama, {}, {}, {}, {}));
  EXPECT_FALSE(generate(llama, {}, {}, std::vector<TokenId>{32}, {}));
}

}  // namespace
}  // namespace freshet
