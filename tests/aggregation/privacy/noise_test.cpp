#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <memory>

#include "aggregation/privacy/adaptive_clip.h"
#include "aggregation/privacy/discrete_gaussian.h"
#include "aggregation/privacy/noisy_update.h"
#include "crypto/keyed_rng.h"

namespace freshet {
namespace {

FillRandom keyed(const Secret& key, std::uint64_t version) {
  auto rng = std::make_shared<KeyedRng>(key, "noise", CampaignId{1}, VersionId{version});
  return [rng](std::span<std::uint32_t> words) {
    for (std::uint32_t& word : words) word = rng->next_u32();
  };
}

Secret some_key() {
  Secret key(32);
  for (std::size_t i = 0; i < 32; ++i) key.writable()[i] = static_cast<std::uint8_t>(i);
  return key;
}

// The chance that chi-square with k degrees of freedom is above x (Wilson and Hilferty 1931).
double chi_square_tail(double x, double k) {
  const double z = (std::cbrt(x / k) - (1 - 2 / (9 * k))) / std::sqrt(2 / (9 * k));
  return std::erfc(z / std::sqrt(2.0)) / 2;
}

std::map<std::int64_t, double> probabilities(double variance) {
  std::map<std::int64_t, double> found;
  double sum = 0;
  for (std::int64_t x = -200; x <= 200; ++x)
    sum += found[x] = std::exp(-static_cast<double>(x * x) / (2 * variance));
  for (auto& [x, p] : found) p /= sum;
  return found;
}

TEST(DiscreteGaussianTable, IsThePublishedOne) {
  EXPECT_NEAR(probabilities(1)[0], 0.398942278266862, 1e-14);
  EXPECT_NEAR(probabilities(.25)[1], 0.106450769423145, 1e-14);
  EXPECT_NEAR(probabilities(4)[-1], 0.17603266338215, 1e-14);
}

class DiscreteGaussianDraws : public testing::TestWithParam<std::uint64_t> {};

TEST_P(DiscreteGaussianDraws, FollowTheTableBySquares) {
  const std::uint64_t variance_256 = GetParam();
  const int kDraws = variance_256 <= 1024 ? 1'000'000 : 300'000;
  const auto expected = probabilities(static_cast<double>(variance_256) / 256);
  const Secret key = some_key();
  BitSource bits(keyed(key, variance_256));
  const DiscreteGaussian draw(variance_256);
  std::map<std::int64_t, int> seen;
  double positive = 0, negative = 0;
  for (int i = 0; i < kDraws; ++i) {
    const std::int64_t x = draw(bits);
    ++seen[x];
    positive += x > 0;
    negative += x < 0;
  }
  double chi = 0, cells = 0, rest = kDraws, rest_expected = kDraws;
  for (const auto& [x, p] : expected) {
    if (p * kDraws < 20) continue;
    const double off = seen[x] - p * kDraws;
    chi += off * off / (p * kDraws);
    ++cells;
    rest -= seen[x];
    rest_expected -= p * kDraws;
  }
  if (rest_expected > 5) {
    chi += (rest - rest_expected) * (rest - rest_expected) / rest_expected;
    ++cells;
  }
  EXPECT_GT(chi_square_tail(chi, cells - 1), 1e-6) << chi << " over " << cells;
  EXPECT_LT(std::fabs(positive - negative), 5 * std::sqrt(positive + negative));
}

INSTANTIATE_TEST_SUITE_P(Variances, DiscreteGaussianDraws, testing::Values(64, 1024, 25600));

TEST(DiscreteGaussian, HasTheMomentsOfALargeVariance) {
  constexpr int kDraws = 50'000;
  for (const std::uint64_t variance_256 :
       {std::uint64_t{1} << 40, DiscreteGaussian::kVarianceMax}) {
    const Secret key = some_key();
    BitSource bits(keyed(key, 5));
    const DiscreteGaussian draw(variance_256);
    const double sigma = std::sqrt(static_cast<double>(variance_256) / 256);
    double sum = 0, squares = 0, fourths = 0;
    for (int i = 0; i < kDraws; ++i) {
      const double z = static_cast<double>(draw(bits)) / sigma;
      sum += z;
      squares += z * z;
      fourths += z * z * z * z;
    }
    EXPECT_NEAR(sum / kDraws, 0, 5 / std::sqrt(kDraws));
    EXPECT_NEAR(squares / kDraws, 1, 5 * std::sqrt(2.0 / kDraws));
    EXPECT_NEAR(fourths / kDraws, 3, 5 * std::sqrt(96.0 / kDraws));
  }
}

TEST(DiscreteGaussian, IsTheSameAgainFromTheSameKey) {
  const Secret key = some_key();
  const DiscreteGaussian draw(256 * 100);
  BitSource one(keyed(key, 3)), again(keyed(key, 3)), other(keyed(key, 4));
  bool differs = false;
  for (int i = 0; i < 100; ++i) {
    const std::int64_t x = draw(one);
    EXPECT_EQ(x, draw(again));
    differs = differs || x != draw(other);
  }
  EXPECT_TRUE(differs);
}

TEST(BitSourceTest, IsUniformBelowAnyBound) {
  const Secret key = some_key();
  BitSource bits(keyed(key, 9));
  EXPECT_EQ(bits.below(1), 0u);
  std::vector<int> seen(5);
  for (int i = 0; i < 50'000; ++i) ++seen.at(bits.below(5));
  for (const int count : seen) EXPECT_NEAR(count, 10'000, 500);
}

constexpr double kNoiseClip = 1;
constexpr std::size_t kNoiseEntries = 400;
constexpr int kSumBits = 24;  // of the sums
const Grid kNoiseGrid{.range = 0.25f, .bits = 12, .weight_max = 1};

NoisePlan plan_of(double multiplier, std::uint32_t honest, bool counts) {
  return {multiplier, 1, 1e-5, honest, counts};
}

// An update at the clip, every entry the same size, signs alternating.
ClippedUpdate update_at_the_clip() {
  ClippedUpdate update{std::vector<float>(kNoiseEntries), 1};
  for (std::size_t i = 0; i < kNoiseEntries; ++i)
    update.values[i] = static_cast<float>((i % 2 == 0 ? kNoiseClip : -kNoiseClip) / 20.00001);
  return update;
}

QuantizedSum noisy_sum(const NoisePlan& plan, const Noise& noise, std::uint32_t nodes,
                       std::uint32_t within) {
  const Secret key = some_key();
  QuantizedSum sum{std::vector<std::uint32_t>(words_of(plan, kNoiseEntries)), 0};
  for (std::uint32_t node = 0; node < nodes; ++node) {
    const FillRandom fill = keyed(key, 100 + node);
    QuantizedUpdate update =
        quantize_within(update_at_the_clip(), kNoiseGrid, plan, noise, node < within, fill);
    add_noise(update, noise, kSumBits, fill);
    for (std::size_t i = 0; i < sum.words.size(); ++i)
      sum.words[i] = (sum.words[i] + update.words[i]) & 0xffffff;
    ++sum.count;
  }
  return sum;
}

TEST(NoisePlanTest, DerivesTheNoiseFromTheClipAlone) {
  const NoisePlan plan = plan_of(2, 5, false);
  const Noise noise = *noise_of(plan, kNoiseClip, kNoiseGrid, kNoiseEntries);
  const double clip_in_units = kNoiseClip / (2 * 0.25 / 4095);
  EXPECT_DOUBLE_EQ(noise.sensitivity, rounded_norm(clip_in_units, kNoiseEntries) + 10);
  EXPECT_NEAR(noise.honest_sigma, 2 * noise.sensitivity, 0.01);
  EXPECT_GE(noise.honest_sigma, 2 * noise.sensitivity);
  // Twice the clip, twice the noise; a finer grid, the same noise in the update's own units.
  EXPECT_NEAR(noise_of(plan, 2 * kNoiseClip, kNoiseGrid, kNoiseEntries)->honest_sigma,
              2 * noise.honest_sigma, 45);
  Grid finer = kNoiseGrid;
  finer.bits = 16;
  EXPECT_NEAR(noise_of(plan, kNoiseClip, finer, kNoiseEntries)->honest_sigma / 65535,
              noise.honest_sigma / 4095, .01);
}

TEST(NoisePlanTest, RefusesWhatWouldNotProtect) {
  Grid coarse = kNoiseGrid;
  coarse.bits = 2;
  EXPECT_FALSE(noise_of(plan_of(.5, 100, false), kNoiseClip, coarse, kNoiseEntries));
  EXPECT_FALSE(noise_of(plan_of(0, 5, false), kNoiseClip, kNoiseGrid, kNoiseEntries));
  EXPECT_FALSE(noise_of(plan_of(NAN, 5, false), kNoiseClip, kNoiseGrid, kNoiseEntries));
  EXPECT_FALSE(noise_of(plan_of(2, 0, false), kNoiseClip, kNoiseGrid, kNoiseEntries));
  EXPECT_FALSE(noise_of(plan_of(1e12, 5, false), kNoiseClip, kNoiseGrid, kNoiseEntries));
  Grid weighted = kNoiseGrid;
  weighted.weight_max = 2;
  EXPECT_FALSE(noise_of(plan_of(2, 5, false), kNoiseClip, weighted, kNoiseEntries));
}

TEST(NoisyUpdate, KeepsItsNormBeforeTheNoise) {
  const NoisePlan plan = plan_of(1, 4, true);
  const Noise noise = *noise_of(plan, kNoiseClip, kNoiseGrid, kNoiseEntries);
  const Secret key = some_key();
  for (std::uint64_t i = 0; i < 50; ++i) {
    const QuantizedUpdate update =
        quantize_within(update_at_the_clip(), kNoiseGrid, plan, noise, i % 2 == 0, keyed(key, i));
    ASSERT_EQ(update.words.size(), kNoiseEntries + 2);
    double squares = 0;
    for (std::size_t at = 0; at < kNoiseEntries; ++at)
      squares += std::pow(update.words[at] - 4095 / 2.0, 2);
    EXPECT_LE(std::sqrt(squares) + 10, noise.sensitivity);
    EXPECT_EQ(update.words[kNoiseEntries], i % 2 == 0 ? 4095u : 0u);
    EXPECT_EQ(update.words.back(), 1u);
  }
}

TEST(NoisyUpdate, SumsToTheMeanWithTheNoiseThatWasPlanned) {
  constexpr std::uint32_t kCohort = 40, kHonest = 30, kWithin = 10;
  const NoisePlan plan = plan_of(1.5, kHonest, true);
  const Noise noise = *noise_of(plan, kNoiseClip, kNoiseGrid, kNoiseEntries);
  const NoisyMean found =
      *noisy_mean(noisy_sum(plan, noise, kCohort, kWithin), kNoiseGrid, plan, kSumBits);
  const ClippedUpdate truth = update_at_the_clip();
  double squares = 0, sum = 0;
  for (std::size_t i = 0; i < kNoiseEntries; ++i) {
    const double off = (found.mean.values[i] - truth.values[i]) * kCohort;
    squares += off * off;
    sum += off;
  }
  // 40 nodes where 30 were counted on make more noise, never less.
  const double unit = 2 * 0.25 / 4095, sigma = noise.honest_sigma * unit * std::sqrt(40.0 / 30);
  EXPECT_NEAR(std::sqrt(squares / kNoiseEntries) / sigma, 1, 5 / std::sqrt(2.0 * kNoiseEntries));
  EXPECT_NEAR(sum / kNoiseEntries, 0, 5 * sigma / std::sqrt(kNoiseEntries));
  EXPECT_NEAR(found.share_within, .25, 5 * 7.5 * std::sqrt(40.0 / 30) / kCohort);
  EXPECT_EQ(found.mean.count, kCohort);
}

TEST(NoisyUpdate, RefusesASumWithAnotherWeight) {
  const NoisePlan plan = plan_of(1.5, 4, false);
  const Noise noise = *noise_of(plan, kNoiseClip, kNoiseGrid, kNoiseEntries);
  QuantizedSum sum = noisy_sum(plan, noise, 4, 0);
  ASSERT_TRUE(noisy_mean(sum, kNoiseGrid, plan, kSumBits));
  sum.words.back() = 5;
  EXPECT_FALSE(noisy_mean(sum, kNoiseGrid, plan, kSumBits));
}

TEST(AdaptiveClip, SplitsTheNoiseAsPublished) {
  EXPECT_NEAR(split_multiplier(1, 100 / 20.0), 1.0050378153, 1e-10);
  EXPECT_NEAR(split_multiplier(.5, 1000 / 20.0), 0.5000062501, 1e-10);
}

TEST(AdaptiveClip, MovesAsPublished) {
  EXPECT_NEAR(next_clip(1, 0, {}), 1.105170918, 1e-9);
  EXPECT_NEAR(next_clip(1, .8, {}), 0.941764534, 1e-9);
  EXPECT_NEAR(next_clip(1, 1, {}), 0.904837418, 1e-9);
  EXPECT_DOUBLE_EQ(next_clip(2, 7, {}),
                   2 * next_clip(1, 1, {}));  // noise beyond the ends moves it no further
}

TEST(AdaptiveClip, FindsTheQuantile) {
  double clip = 0.1;
  for (int round = 0; round < 300; ++round)
    clip = next_clip(clip, std::min(1.0, clip / 8), {.quantile = .75});
  EXPECT_NEAR(clip, 6, 1e-3);
}

}  // namespace
}  // namespace freshet
