// Experiments of adapting a large model, over tiny ones of random weights.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "simulations/adapt/ways.h"
#include "tests/trainer/tiny_transformer.h"

namespace freshet {
namespace {

Transformer tiny_model(int hidden, std::uint64_t seed) {
  return tiny_transformer({.vocabulary = 48, .hidden = hidden, .spread = 0.3f}, seed);
}

// A language of its own for every node: each id is followed by one of two.
TokenStream language(std::size_t count, int step, std::uint64_t seed) {
  Rng rng(seed);
  std::vector<TokenId> ids{1};
  while (ids.size() < count)
    ids.push_back((ids.back() + step + static_cast<TokenId>(rng.below(2))) % 48);
  TokenStream stream;
  stream.append(ids, {}, count);
  return stream;
}

struct TinyWorld {
  Transformer slm = tiny_model(16, 3), llm = tiny_model(24, 4);
  std::vector<FleetNode> nodes;
  TokenStream public_text = language(3000, 0, 9), general = language(1000, 1, 10);
  TinyWorld() {
    for (int i = 0; i < 6; ++i)  // two of each language
      nodes.push_back({std::to_string(i),
                       {language(3000, 5 + 7 * (i / 2), static_cast<std::uint64_t>(i)),
                        language(1000, 5 + 7 * (i / 2), static_cast<std::uint64_t>(100 + i))}});
  }
  AdaptPair pair() const { return {slm, llm, 1, nodes, public_text, general}; }
};

AdaptRecipe tiny_recipe() {
  AdaptRecipe recipe = default_recipe(1);
  recipe.window = recipe.score.window = recipe.home.window = recipe.oracle.window = 16;
  recipe.threads = 1;
  recipe.campaign.rounds = recipe.of_llm.rounds = 4;
  recipe.campaign.lora.rank = 16;
  recipe.campaign.lora.alpha = 32;
  recipe.of_llm.lora.rank = 8;
  recipe.of_llm.lora.alpha = 16;
  recipe.learning.adapter = recipe.oracle.adapter = {8, 16};
  recipe.campaign.training.window = recipe.of_llm.training.window = 16;
  recipe.campaign.rule = Sgd{};
  recipe.of_llm.rule = Sgd{};
  recipe.campaign.training.lr = recipe.of_llm.training.lr = 2e-2f;
  recipe.oracle.steps = 60;
  recipe.oracle.look_every = 20;
  recipe.oracle.rates = {1e-2f};
  recipe.home.steps = 60;
  recipe.home.lr = 2e-2f;
  recipe.learning.steps = 60;
  recipe.learning.lr = 1e-2f;
  recipe.public_sequences = recipe.written_sequences = 60;
  recipe.own_sequences = 12;
  recipe.asking_rounds = 2;
  recipe.asked_sequences = 30;
  recipe.candidates = 8;
  recipe.score.windows_max = 20;
  return recipe;
}

TEST(AdaptScore, IntervalsOverSeedsAreStudents) {
  const Interval one = over_seeds({0.5}), three = over_seeds({0.4, 0.5, 0.6});
  EXPECT_EQ(one.low, one.high);
  EXPECT_NEAR(three.value, 0.5, 1e-12);
  EXPECT_NEAR(three.high - three.value, 4.303 * 0.1 / std::sqrt(3.0), 1e-6);
}

TEST(AdaptScore, TheGapIsNothingForTheBaseAndAllForTheOracle) {
  Score base, direct, half;
  for (int d = 0; d < 2; ++d) {
    base.domains.push_back({"", 3, {3.5, 2.5, 3}});
    direct.domains.push_back({"", 2, {2.5, 1.5, 2}});
    half.domains.push_back({"", 2.5, {3, 2, 2.5}});
  }
  base.bits_per_byte = 3;
  direct.bits_per_byte = 2;
  half.bits_per_byte = 2.5;
  EXPECT_EQ(gap_recovered(base, base, direct), 0);
  EXPECT_EQ(gap_recovered(base, direct, direct), 1);
  const Interval interval = gap_interval(base, half, direct, 1);  // the same shift everywhere
  EXPECT_NEAR(interval.value, 0.5, 1e-9);
  EXPECT_NEAR(interval.low, 0.5, 1e-9);
  EXPECT_NEAR(interval.high, 0.5, 1e-9);
  half.domains[0].window_bits = {3.5, 1.5, 2.5};
  EXPECT_GT(gap_interval(base, half, direct, 1).high, gap_interval(base, half, direct, 1).low);
}

TEST(AdaptDirect, WhatIsKeptBackIsNotTrainedOn) {
  const TinyWorld world;
  TokenStream kept;
  const TokenStream all = pool(world.nodes, 0.1, kept);
  EXPECT_EQ(all.size(), 6u * 2700);
  EXPECT_EQ(kept.size(), 6u * 300);
  EXPECT_EQ(kept.ids[0], world.nodes[0].corpus.train.ids[2700]);
}

TEST(AdaptLogits, TheSumOfAllNodesIsTheirMeanDistribution) {
  const TinyWorld world;
  const Lora none;
  ModelLogits z(world.slm, none);
  const Prompts prompts = prompts_of(world.public_text, 16, 4).value();
  const CandidateSets candidates = candidate_sets(z, nullptr, prompts, 8);
  const std::vector<NodeModel> models(6, {&world.slm, {4, 8}, {}});
  AnswerPlan plan;
  plan.bits = 16;
  plan.untuned = true;  // the same answer of each, so that the mean is known
  const Result<JointAnswer> answered = answer_together(models, std::vector<std::vector<float>>(6),
                                                    world.nodes, prompts, candidates, plan);
  ASSERT_TRUE(answered) << answered.error().what;
  const Answers alone = answer(z, prompts, candidates, 1);
  for (std::size_t i = 0; i < alone.q.size(); ++i)
    EXPECT_NEAR(answered->lesson.answers.q[i], alone.q[i], 1e-3);
  EXPECT_EQ(answered->bytes_up, ((64u * 9 + 1) * 19 + 7) / 8);  // 19 bits hold the sum of six
}

TEST(AdaptLogits, ANodeIsSilentOnWhatItHoldsItself) {
  const TinyWorld world;
  const Lora none;
  ModelLogits z(world.slm, none);
  // Windows of the first node's own text, longer than a run that it would know again.
  const Prompts prompts = prompts_of(world.nodes[0].corpus.train, 32, 3).value();
  const CandidateSets candidates = candidate_sets(z, nullptr, prompts, 8);
  const std::vector<FleetNode> alone{world.nodes[0]}, other{world.nodes[1]};
  AnswerPlan plan;
  plan.bits = 16;
  plan.untuned = true;
  const std::vector<NodeModel> models(1, {&world.slm, {4, 8}, {}});
  const Result<JointAnswer> own = answer_together(models, {{}}, alone, prompts, candidates, plan),
                         foreign = answer_together(models, {{}}, other, prompts, candidates, plan);
  ASSERT_TRUE(own && foreign);
  EXPECT_EQ(std::count(own->lesson.gate.begin(), own->lesson.gate.end(), 0.0f), prompts.rows());
  EXPECT_EQ(std::count(foreign->lesson.gate.begin(), foreign->lesson.gate.end(), 1.0f),
            prompts.rows());
}

TEST(AdaptWays, EveryWayTeachesAndItsControlDoesNot) {
  const TinyWorld world;
  Ways ways(world.pair(), tiny_recipe(), {});
  std::map<std::string, double> found;
  for (const std::string& name : Ways::names()) {
    const Result<WayOutcome> outcome = ways.run(name);
    ASSERT_TRUE(outcome) << name << ": " << outcome.error().what;
    found[name] = outcome->score.bits_per_byte;
    EXPECT_EQ(outcome->score.domains.size(), 6u);
    EXPECT_TRUE(std::isfinite(found[name])) << name;
  }
  EXPECT_LT(found["oracle"], found["base"] - 0.3);
  EXPECT_LT(found["slm-tuned"], found["slm-base"] - 0.1);
  EXPECT_LT(found["direct"], found["base"] - 0.1);
  EXPECT_LT(found["proxy"], found["proxy-random"]);
  EXPECT_LT(found["proxy"],
            found["proxy-fixed"]);  // languages that the large model knows not at all
  // Of this vocabulary sixteen are few; what the two are worth on real models the bench says.
  EXPECT_LT(found["some-candidates"], found["all-candidates"] * 1.05);
  EXPECT_LT(found["distill"], found["public-only"]);
  EXPECT_LT(found["logits"], found["logits-untuned"]);
  EXPECT_FALSE(ways.run("magic"));
  ASSERT_NE(ways.written(), nullptr);
  EXPECT_EQ(ways.written()->window, 16);
}

}  // namespace
}  // namespace freshet
