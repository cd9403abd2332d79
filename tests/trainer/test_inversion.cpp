// Text read back out of updates: each attack bites on one node's update first.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "aggregation/privacy/pld.h"
#include "aggregation/robust/sum_audit.h"
#include "tests/trainer/content_attack.h"

namespace freshet::inversion {
namespace {

constexpr std::size_t kNodes = 8;
constexpr double kMultiplier = 4, kClip = 1;
constexpr std::uint64_t kSeed = 31;

TokenStream stream_of(const std::vector<TokenId>& ids) {
  TokenStream text;
  text.append(ids, {}, ids.size());
  return text;
}

// One step down the gradient of one window: what the span check reads.
TrainPlan one_gradient() {
  TrainPlan plan;
  plan.base = {.adapter = {.rank = 32, .alpha = 32, .targets = {"v_proj"}},
               .train_a = false,
               .train_b = true,
               .steps = 1,
               .batch = 1,
               .window = 16,
               .lr = 100,  // far above the clip: an update is the gradient's direction
               .seed = 1};
  plan.optimizer = Optimizer::kSgd;
  return plan;
}

double rounding_variance(std::size_t updates) {
  const double step = 2.0 / 16 / 65535;
  return step * step / 6 / static_cast<double>(updates);
}

TEST(Inversion, SpanCheckReadsTheTokensOfAnUpdateAndNotThoseOfANoisySum) {
  const LoadedModel model = committed_model();
  const TrainPlan plan = one_gradient();
  std::vector<ClippedUpdate> updates;
  std::vector<std::set<TokenId>> truths;
  std::set<TokenId> all;
  for (std::size_t node = 0; node < kNodes; ++node) {
    const auto ids = some_prose(model.tokenizer, 17, kSeed + node);
    truths.emplace_back(ids.begin(), ids.end() - 1);  // the last one is only predicted
    all.insert(ids.begin(), ids.end() - 1);
    updates.push_back(learned_from(model.model, plan, stream_of(ids), kClip));
  }
  const auto vocabulary = static_cast<double>(model.model.config.vocab_size);
  double plain = 0, plain_chance = 0;
  for (std::size_t node = 0; node < kNodes; ++node) {
    const auto mean = opened_mean({updates[node]}, {kClip, 0, kSeed});
    plain +=
        found_share(span_scores(model, plan, mean, rounding_variance(1)), truths[node]) / kNodes;
    plain_chance += static_cast<double>(truths[node].size()) / vocabulary / kNodes;
  }
  const auto sum = opened_mean(updates, {kClip, 0, kSeed});
  const auto noisy = opened_mean(updates, {kClip, kMultiplier, kSeed});
  const double noise = std::pow(kMultiplier / kNodes, 2);
  const auto sum_scores = span_scores(model, plan, sum, rounding_variance(kNodes));
  const auto noisy_scores = span_scores(model, plan, noisy, noise);
  double of_one = 0, noisy_of_one = 0;
  for (const auto& truth : truths) {
    of_one += found_share(sum_scores, truth) / kNodes;
    noisy_of_one += found_share(noisy_scores, truth) / kNodes;
  }
  const double chance = static_cast<double>(all.size()) / vocabulary;
  const double sum_all = found_share(sum_scores, all), noisy_all = found_share(noisy_scores, all);
  RecordProperty("plain", std::to_string(plain));
  RecordProperty("sum_of_one", std::to_string(of_one));
  RecordProperty("sum_all", std::to_string(sum_all));
  RecordProperty("noisy_of_one", std::to_string(noisy_of_one));
  RecordProperty("noisy_all", std::to_string(noisy_all));
  EXPECT_GT(plain, 0.9);
  EXPECT_LT(of_one, plain / 2);
  EXPECT_LT(noisy_of_one, plain_chance + 0.05);
  EXPECT_LT(noisy_all, chance + 0.05);
}

// What campaigns send: ten steps of AdamW, which leave no span. The attacker has the node's text
// among candidates.
TrainPlan campaign_training() {
  TrainPlan plan;
  plan.base = {.adapter = {.rank = 4, .alpha = 8, .targets = {"q_proj", "v_proj"}},
               .train_a = false,
               .train_b = true,
               .steps = 4,
               .batch = 2,
               .window = 16,
               .lr = 5e-3f,
               .seed = 7};
  return plan;
}

TEST(Inversion, MatchingCandidateTextsFindsTheOneOfAnUpdateAndNotInANoisySum) {
  constexpr std::size_t kCandidates = 48;
  const LoadedModel model = committed_model();
  const TrainPlan plan = campaign_training();
  std::vector<ClippedUpdate> made;  // of every candidate; those of the nodes come first
  for (std::size_t i = 0; i < kCandidates; ++i)
    made.push_back(learned_from(model.model, plan,
                                stream_of(some_prose(model.tokenizer, 60, 900 + i)), kClip));
  const std::vector<ClippedUpdate> sent(made.begin(), made.begin() + kNodes);
  // Nodes among the kNodes candidates that lie closest.
  const auto found = [&](const std::vector<float>& opened, std::size_t closest) {
    std::vector<std::size_t> order(kCandidates);
    for (std::size_t i = 0; i < kCandidates; ++i) order[i] = i;
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return cosine(opened, made[a].values) > cosine(opened, made[b].values);
    });
    return std::vector<std::size_t>(order.begin(),
                                    order.begin() + static_cast<std::ptrdiff_t>(closest));
  };
  std::size_t plain = 0;
  for (std::size_t node = 0; node < kNodes; ++node)
    plain += found(opened_mean({sent[node]}, {kClip, 0, kSeed}), 1)[0] == node;
  const auto in_sum = [&](double multiplier, std::uint64_t seed) {
    const auto closest = found(opened_mean(sent, {kClip, multiplier, seed}), kNodes);
    return static_cast<double>(std::count_if(closest.begin(), closest.end(),
                                             [](std::size_t i) { return i < kNodes; })) /
           kNodes;
  };
  const double sum = in_sum(0, kSeed);
  double noisy = 0;
  constexpr int kTrials = 20;
  for (int trial = 0; trial < kTrials; ++trial)
    noisy += in_sum(kMultiplier, kSeed + static_cast<std::uint64_t>(trial)) / kTrials;
  const double epsilon = gaussian_epsilon(kMultiplier, 1e-5),
               chance = static_cast<double>(kNodes) / kCandidates;
  RecordProperty("sum", std::to_string(sum));
  RecordProperty("noisy", std::to_string(noisy));
  EXPECT_EQ(plain, kNodes);
  EXPECT_LT(noisy, std::exp(epsilon) * chance + 3 * std::sqrt(chance / (kNodes * kTrials)));
}

}  // namespace
}  // namespace freshet::inversion
