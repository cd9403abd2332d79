// Canaries: how much better a model knows a sequence that was in a node's text than others that
// could have been (exposure: Carlini et al. 2019, arXiv:1802.08232).

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "aggregation/privacy/pld.h"
#include "base/rng.h"
#include "tests/trainer/content_attack.h"
#include "trainer/finetune.h"

namespace freshet::canary {
namespace {

constexpr std::size_t kNodes = 8, kCohort = 4, kReferences = 127, kTokens = 5;
constexpr double kMultiplier = 1, kDelta = 1e-5, kClip = 8;
constexpr std::uint64_t kSeed = 47;

TrainPlan canary_training() {
  TrainPlan plan;
  plan.base = {.adapter = {.rank = 8, .alpha = 16, .targets = {}},
               .train_a = false,
               .train_b = true,
               .steps = 30,
               .batch = 2,
               .window = 24,
               .lr = 1e-2f,
               .seed = 7};
  return plan;
}

struct Canaries {
  explicit Canaries(const LoadedModel& model) : loaded(model) {
    prefix = model.tokenizer.encode("The secret number is", true);
    Rng rng(kSeed);
    for (std::size_t i = 0; i < kReferences; ++i) references.push_back(draw(rng));
    for (std::size_t i = 0; i < kNodes; ++i) own.push_back(draw(rng));
    for (std::size_t i = 0; i < 256; ++i) never.push_back(draw(rng));
  }

  std::vector<TokenId> draw(Rng& rng) const {
    std::vector<TokenId> canary = prefix;
    for (std::size_t i = 0; i < kTokens; ++i)
      canary.push_back(static_cast<TokenId>(
          100 + rng.below(static_cast<std::uint64_t>(loaded.model.config.vocab_size) - 100)));
    return canary;
  }

  TokenStream text_of(std::size_t node) const {
    TokenStream text;
    const auto prose = some_prose(loaded.tokenizer, 400, kSeed + node);
    for (std::size_t at = 0; at + 40 <= prose.size(); at += 40) {
      std::vector<TokenId> part(prose.begin() + static_cast<std::ptrdiff_t>(at),
                                prose.begin() + static_cast<std::ptrdiff_t>(at) + 20);
      part.insert(part.end(), own[node].begin(), own[node].end());
      part.insert(part.end(), prose.begin() + static_cast<std::ptrdiff_t>(at) + 20,
                  prose.begin() + static_cast<std::ptrdiff_t>(at) + 40);
      text.append(part, {}, part.size());
    }
    return text;
  }

  double loss_of(const std::vector<TokenId>& canary, const std::vector<float>& adapter) const {
    const auto measured = evaluate(loaded.model, canary_training().base.adapter, adapter, canary, 1,
                                   static_cast<int>(canary.size()), {});
    EXPECT_TRUE(measured) << measured.error().what;
    numbers = numbers && std::isfinite(measured->nll);
    return measured->nll;  // of the prefix too, which is the same for all
  }

  // Places of canaries among the references, from 1; half a place for one that is as well known.
  std::vector<double> ranks(const std::vector<std::vector<TokenId>>& canaries,
                            const std::vector<float>& adapter) const {
    std::vector<double> losses;
    for (const auto& reference : references) losses.push_back(loss_of(reference, adapter));
    std::vector<double> found;
    for (const auto& canary : canaries) {
      const double loss = loss_of(canary, adapter);
      double rank = 1;
      for (const double other : losses) rank += other < loss ? 1 : other == loss ? 0.5 : 0;
      found.push_back(rank);
    }
    return found;
  }

  mutable bool numbers = true;  // all losses were; one that is not is less than no other
  const LoadedModel& loaded;
  std::vector<TokenId> prefix;
  std::vector<std::vector<TokenId>> references, own, never;
};

double exposure(double rank) { return std::log2(kReferences + 1.0) - std::log2(rank); }

double mean_exposure(const std::vector<double>& ranks) {
  double sum = 0;
  for (const double rank : ranks) sum += exposure(rank);
  return sum / static_cast<double>(ranks.size());
}

// An attacker that says which of all sequences was in a node's text, and is right by chance once in
// 128 times.
double named_rightly(const std::vector<double>& ranks) {
  return static_cast<double>(std::count(ranks.begin(), ranks.end(), 1.0)) /
         static_cast<double>(ranks.size());
}

TEST(Canary, IsExposedByAnUpdateAndNotByANoisySum) {
  const LoadedModel model = committed_model();
  const TrainPlan plan = canary_training();
  const Canaries canaries(model);
  const auto exposed_by = [&](std::size_t first, std::size_t count,
                              const std::vector<float>& mean) {
    const std::vector<std::vector<TokenId>> own(
        canaries.own.begin() + static_cast<std::ptrdiff_t>(first),
        canaries.own.begin() + static_cast<std::ptrdiff_t>(first + count));
    return canaries.ranks(own, adapter_with(model.model, plan, mean));
  };
  const auto append = [](std::vector<double>& to, const std::vector<double>& more) {
    to.insert(to.end(), more.begin(), more.end());
  };
  std::vector<double> plain, sums, noisy;
  for (std::size_t first = 0; first < kNodes; first += kCohort) {
    std::vector<ClippedUpdate> updates;
    for (std::size_t node = first; node < first + kCohort; ++node) {
      updates.push_back(learned_from(model.model, plan, canaries.text_of(node), kClip));
      append(plain, exposed_by(node, 1, opened_mean({updates.back()}, {kClip, 0, kSeed})));
    }
    append(sums, exposed_by(first, kCohort, opened_mean(updates, {kClip, 0, kSeed})));
    for (std::uint64_t trial = 0; trial < 3; ++trial)
      append(noisy,
             exposed_by(first, kCohort, opened_mean(updates, {kClip, kMultiplier, kSeed + trial})));
  }
  const auto never = canaries.ranks(canaries.never, {});
  const double chance = 1.0 / (kReferences + 1);
  const double bound = std::exp(gaussian_epsilon(kMultiplier, kDelta)) * chance + kDelta +
                       3 * std::sqrt(chance / static_cast<double>(noisy.size()));
  for (const auto& [name, ranks] :
       {std::pair("never", &never), {"plain", &plain}, {"sum", &sums}, {"noisy", &noisy}})
    RecordProperty(name, std::to_string(mean_exposure(*ranks)) + " bits, named " +
                             std::to_string(named_rightly(*ranks)));
  EXPECT_TRUE(canaries.numbers);
  // Exposure of what was never there is exponential with mean and deviation log2 e.
  const auto around = [](const std::vector<double>& ranks) {
    return 3 * std::log2(std::exp(1)) / std::sqrt(static_cast<double>(ranks.size()));
  };
  EXPECT_NEAR(mean_exposure(never), 1.4427, around(never));
  EXPECT_GT(mean_exposure(plain), 6);
  EXPECT_GT(mean_exposure(sums), 4) << "a cohort this small needs the noise";
  EXPECT_LT(mean_exposure(noisy), 1.4427 + around(noisy));
  EXPECT_LT(named_rightly(noisy), bound);
}

}  // namespace
}  // namespace freshet::canary
