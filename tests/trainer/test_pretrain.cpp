// All weights of a small model trained through the face that the command line uses.

#include <gtest/gtest.h>

#include <cmath>

#include "base/rng.h"
#include "trainer/pretrain.h"

namespace freshet {
namespace {

ModelConfig tiny_config() {
  ModelConfig config;
  config.vocab_size = 32;
  config.hidden_size = 16;
  config.intermediate_size = 32;
  config.layers = 2;
  config.heads = config.kv_heads = 2;
  config.head_dim = 8;
  config.max_positions = 64;
  config.tied_embeddings = true;
  return config;
}

// A language with something to learn: each id is followed by one of two.
std::vector<TokenId> walk(std::size_t count, std::uint64_t seed) {
  Rng rng(seed);
  std::vector<TokenId> tokens{1};
  while (tokens.size() < count)
    tokens.push_back((tokens.back() + 3 + static_cast<TokenId>(rng.below(2))) % 32);
  return tokens;
}

PretrainPlan short_plan() {
  return {.steps = 120, .batch = 8, .window = 16, .warmup = 10, .lr = 1e-2f, .report_every = 60};
}

struct Reports {
  std::vector<PretrainPoint> points;
  std::vector<Evaluation> valid;
  Bytes weights;
};

Result<Reports> pretrained(const PretrainPlan& plan, std::size_t valid_count = 300,
                           ByteView start = {}) {
  Reports reports;
  const std::vector<TokenId> train = walk(4000, 1), valid = walk(valid_count, 2);
  TRY(pretrain_model(tiny_config(), plan, {train, valid, 2 * valid_count}, start,
                     [&](const PretrainPoint& point, const Evaluation& measured,
                         const Bytes& weights) -> Result<void> {
                       reports.points.push_back(point);
                       reports.valid.push_back(measured);
                       reports.weights = weights;
                       return {};
                     }));
  return reports;
}

TEST(Pretrain, LearnsTheLanguage) {
  const Result<Reports> reports = pretrained(short_plan());
  ASSERT_TRUE(reports) << reports.error().what;
  ASSERT_EQ(reports->points.size(), 2u);
  EXPECT_EQ(reports->points[1].step, 120);
  EXPECT_LT(reports->points[1].train_loss, reports->points[0].train_loss);
  EXPECT_LT(reports->valid[1].nll_per_token(), 1.1);  // ln 2 is the least, ln 32 = 3.5 the start
}

TEST(Pretrain, IsTheSameEveryTime) {
  const PretrainPlan plan{.steps = 5, .batch = 2, .window = 16, .warmup = 1};
  const Result<Reports> a = pretrained(plan), b = pretrained(plan);
  ASSERT_TRUE(a && b);
  EXPECT_EQ(a->weights, b->weights);
}

TEST(Pretrain, PredictsEveryTokenButTheFirst) {
  const PretrainPlan plan{.steps = 1, .batch = 1, .window = 16, .warmup = 1, .lr = 0, .lr_end = 0};
  for (std::size_t count : {2u, 16u, 17u, 33u, 150u, 2500u}) {
    const Result<Reports> reports = pretrained(plan, count);
    ASSERT_TRUE(reports) << reports.error().what;
    EXPECT_EQ(reports->valid[0].tokens, count - 1);
    EXPECT_EQ(reports->valid[0].bytes, 2 * count);
    EXPECT_NEAR(reports->valid[0].nll_per_token(), std::log(32.0), 0.2);  // nothing learned
  }
}

TEST(Pretrain, GoesOnFromItsOwnFile) {
  const Result<Reports> first = pretrained(short_plan());
  ASSERT_TRUE(first) << first.error().what;
  const Result<Reports> second =
      pretrained({.steps = 1, .batch = 1, .window = 16, .warmup = 1, .lr = 0, .lr_end = 0}, 300,
                 first->weights);
  ASSERT_TRUE(second) << second.error().what;
  EXPECT_NEAR(second->valid[0].nll_per_token(), first->valid[1].nll_per_token(), 0.01);
  EXPECT_FALSE(pretrained(short_plan(), 300, ByteView(first->weights).first(100)));
}

TEST(Pretrain, RefusesWhatItCannotTrain) {
  const std::vector<TokenId> text = walk(400, 1), scrap = walk(10, 1), word = walk(1, 1);
  const auto report = [](const PretrainPoint&, const Evaluation&, const Bytes&) -> Result<void> {
    return {};
  };
  const auto code_of = [&](const ModelConfig& config, const PretrainPlan& plan,
                           const PretrainText& on) {
    const Result<void> outcome = pretrain_model(config, plan, on, {}, report);
    EXPECT_FALSE(outcome);
    return outcome ? Code{} : outcome.error().code;
  };
  ModelConfig biased = tiny_config();
  biased.qkv_bias = true;
  PretrainPlan wide = short_plan(), wild = short_plan();
  wide.window = 65;
  wild.lr = wild.lr_end = 1e30f;
  EXPECT_EQ(code_of(biased, short_plan(), {text, text, 1}), Code::kBadInput);
  EXPECT_EQ(code_of(tiny_config(), short_plan(), {scrap, text, 1}), Code::kBadInput);
  EXPECT_EQ(code_of(tiny_config(), short_plan(), {text, word, 1}), Code::kBadInput);
  EXPECT_EQ(code_of(tiny_config(), wide, {text, text, 1}), Code::kBadInput);
  EXPECT_EQ(code_of(tiny_config(), wild, {text, text, 1}), Code::kBadInput);
}

TEST(Pretrain, EndsWithTheErrorOfItsReport) {
  const std::vector<TokenId> text = walk(400, 1);
  int reports = 0;
  const Result<void> outcome = pretrain_model(
      tiny_config(), {.steps = 20, .batch = 1, .window = 16, .report_every = 5}, {text, text, 1},
      {}, [&](const PretrainPoint&, const Evaluation&, const Bytes&) -> Result<void> {
        ++reports;
        return fail(Code::kUnavailable, "the disk is full");
      });
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().what, "the disk is full");
  EXPECT_EQ(reports, 1);
}

}  // namespace
}  // namespace freshet
