#include "aggregation/quantize.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/rng.h"

namespace freshet {
namespace {

FillRandom from(Rng& rng) {
  return [&rng](std::span<std::uint32_t> out) {
    for (auto& word : out) word = rng.next_u32();
  };
}

FillRandom always(std::uint32_t value) {
  return [value](std::span<std::uint32_t> out) { std::fill(out.begin(), out.end(), value); };
}

QuantizedUpdate random_update(Rng& rng, std::size_t entries, const Grid& grid) {
  ClippedUpdate update{std::vector<float>(entries),
                       1 + static_cast<std::uint32_t>(rng.below(grid.weight_max))};
  for (float& value : update.values) value = static_cast<float>(rng.normal() * grid.range / 2);
  return quantize(update, grid, from(rng));
}

TEST(Quantize, SumBitsAreThoseOfTheLargestSum) {
  const Grid plain{.range = 1, .bits = 16, .weight_max = 1},
      weighted{.range = 1, .bits = 16, .weight_max = 1024};
  struct Row {
    Grid grid;
    std::uint32_t updates;
    int bits;
  };
  for (const auto& [grid, updates, bits] :
       {Row{plain, 16, 20}, Row{plain, 64, 22}, Row{plain, 128, 23}, Row{plain, 256, 24},
        Row{plain, 1024, 26}, Row{plain, 65536, 32}, Row{weighted, 16, 30}, Row{weighted, 64, 32},
        Row{plain, 1, 16}})
    EXPECT_EQ(sum_bits(grid, updates).value_or(-1), bits)
        << updates << " updates, W " << grid.weight_max;
}

TEST(Quantize, SumBitsRefuseWhatDoesNotFitInto32) {
  const Grid weighted{.range = 1, .bits = 16, .weight_max = 1024};
  EXPECT_EQ(sum_bits(weighted, 128).error().what,
            "128 updates of 16 bits and weights up to 1024 do not fit into sums of 32 bits: lower "
            "bits, weight_max or "
            "the cohort");
  EXPECT_FALSE(sum_bits({.range = 1, .bits = 24, .weight_max = 65535}, 1));
  EXPECT_FALSE(sum_bits({.range = 1, .bits = 16, .weight_max = 1}, 0xffffffff));
}

TEST(Quantize, SumBitsNameTheBadFieldOfAGrid) {
  EXPECT_EQ(sum_bits({.range = 0}, 1).error().what,
            "range is 0: it must be a finite number above 0");
  EXPECT_EQ(sum_bits({.range = std::nanf("")}, 1).error().what,
            "range is nan: it must be a finite number above 0");
  EXPECT_EQ(sum_bits({.range = 1, .bits = 1}, 1).error().what, "bits is 1: it must be in [2, 24]");
  EXPECT_EQ(sum_bits({.range = 1, .bits = 25}, 1).error().what,
            "bits is 25: it must be in [2, 24]");
  EXPECT_EQ(sum_bits({.range = 1, .weight_max = 0}, 1).error().what,
            "weight_max is 0: it must be in [1, 65535]");
  EXPECT_FALSE(sum_bits({.range = 1}, 0));
}

TEST(Quantize, PutsTheEndsOfTheRangeOnTheEndsOfTheGrid) {
  for (const int bits : {2, 8, 16, 24})
    for (const float range : {0.1f, 0.3f, 1.0f, 7.7f}) {
      const Grid grid{.range = range, .bits = bits};
      const std::uint32_t top = (1u << bits) - 1;
      for (const std::uint32_t random : {0u, 0x80000000u, 0xffffffffu}) {
        const auto words = quantize({{-range, range, -100, 100}, 1}, grid, always(random)).words;
        EXPECT_EQ(words[1], top) << bits << " bits, range " << range << ", random " << random;
        EXPECT_EQ(words[2], 0u);  // clamped, and 0 + u < 1
        EXPECT_EQ(words[3], top);
      }
    }
}

TEST(Quantize, RoundsDownOrUpByTheRandomNumberAlone) {
  const Grid grid{.range = 1.5f, .bits = 2};  // z = v + 1.5
  EXPECT_EQ(quantize({{-0.25f}, 1}, grid, always(0)).words[0], 1u);
  EXPECT_EQ(quantize({{-0.25f}, 1}, grid, always(0xbfffffff)).words[0],
            1u);  // 1.25 + u reaches 2 at u = 3/4
  EXPECT_EQ(quantize({{-0.25f}, 1}, grid, always(0xc0000000)).words[0], 2u);
}

TEST(Quantize, MultipliesByTheWeightExactlyAndAppendsIt) {
  const Grid grid{.range = 1, .bits = 16, .weight_max = 1000};
  Rng one(3), two(3);
  const std::vector<float> values = {0.1f, -0.9f, 0.5f};
  const auto plain = quantize({values, 1}, grid, from(one)).words;
  const auto weighted = quantize({values, 777}, grid, from(two)).words;
  ASSERT_EQ(weighted.size(), 4u);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(weighted[i], 777 * plain[i]);
  EXPECT_EQ(weighted[3], 777u);
}

TEST(Quantize, IsUnbiased) {
  // The mean of n roundings of one value has standard deviation at most step / (2 sqrt(n)): six of
  // them are allowed.
  const Grid grid{.range = 1, .bits = 4};
  const double step = 2.0 / 15;
  constexpr std::size_t kTrials = 200'000;
  for (const float value : {-0.97f, -0.5f, -0.01f, 0.0f, 0.123f, 0.999f}) {
    Rng rng(20);
    const auto words = quantize({std::vector<float>(kTrials, value), 1}, grid, from(rng)).words;
    double total = 0;
    for (std::size_t i = 0; i < kTrials; ++i) total += words[i] * step - 1;
    EXPECT_NEAR(total / kTrials, value, 6 * step / 2 / std::sqrt(kTrials)) << value;
  }
}

TEST(Quantize, AsksForOneRandomNumberAnEntry) {
  std::size_t asked = 0;
  const FillRandom count = [&](std::span<std::uint32_t> out) {
    asked += out.size();
    std::fill(out.begin(), out.end(), 0);
  };
  quantize({std::vector<float>(2500, 0.0f), 1}, {.range = 1}, count);
  EXPECT_EQ(asked, 2500u);
}

TEST(QuantizeDeath, AWeightAboveTheCapIsABug) {
  EXPECT_DEATH(quantize({{1}, 2}, {.range = 1, .weight_max = 1}, always(0)),
               "weight 2 of at most 1");
}

TEST(QuantizeDeath, ANanBehindTheClipIsABug) {
  EXPECT_DEATH(quantize({{std::nanf("")}, 1}, {.range = 1}, always(0)), "NaN");
}

TEST(Add, IsIntegerArithmeticWordByWordInAnyOrder) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE(seed);
    Rng rng(seed);
    const Grid grid{.range = 0.5f, .bits = 16, .weight_max = 1024};
    std::vector<QuantizedUpdate> updates(2 + rng.below(30));
    for (auto& update : updates) update = random_update(rng, 57, grid);

    std::vector<std::uint64_t> expected(58);
    QuantizedSum forward, backward;
    for (const auto& update : updates) {
      for (std::size_t i = 0; i < 58; ++i) expected[i] += update.words[i];
      ASSERT_TRUE(add(forward, update, grid));
    }
    for (auto update = updates.rbegin(); update != updates.rend(); ++update)
      ASSERT_TRUE(add(backward, *update, grid));
    EXPECT_EQ(std::vector<std::uint64_t>(forward.words.begin(), forward.words.end()), expected);
    EXPECT_EQ(forward.words, backward.words);
    EXPECT_EQ(forward.count, updates.size());
  }
}

TEST(Add, RefusesWhatNoHonestNodeOfThatWeightSends) {
  const Grid grid{.range = 1, .bits = 8, .weight_max = 12};
  QuantizedSum sum;
  ASSERT_TRUE(add(sum, {{255 * 12, 0, 12}}, grid));
  const QuantizedSum before = sum;
  const auto error_of = [&](std::vector<std::uint32_t> words) {
    const auto result = add(sum, {std::move(words)}, grid);
    EXPECT_EQ(sum.words, before.words);
    EXPECT_EQ(sum.count, before.count);
    return result ? "accepted" : result.error().what;
  };
  EXPECT_EQ(error_of({0, 0, 0}), "the update claims weight 0: it must be in [1, 12]");
  EXPECT_EQ(error_of({0, 0, 13}), "the update claims weight 13: it must be in [1, 12]");
  EXPECT_EQ(error_of({5, 256 * 5, 5}),
            "word 1 of the update is 1280: it must be 5 times a number in [0, 255]");
  EXPECT_EQ(error_of({7, 0, 6}),
            "word 0 of the update is 7: it must be 6 times a number in [0, 255]");
  EXPECT_EQ(error_of({0xffffffff, 0, 1}),
            "word 0 of the update is 4294967295: it must be 1 times a number in [0, 255]");
  EXPECT_EQ(error_of({0, 12}), "the update has 2 words, the sum has 3");
  EXPECT_EQ(error_of({}), "the update has no weight");
  EXPECT_TRUE(add(sum, {{255, 0, 1}}, grid));
}

TEST(Add, FindsEveryLieThatDivisionFinds) {
  Rng rng(5);
  for (int trial = 0; trial < 100'000; ++trial) {
    const Grid grid{.range = 1, .bits = 8, .weight_max = 65535};
    const auto weight = 1 + static_cast<std::uint32_t>(rng.below(grid.weight_max));
    const std::uint32_t word =
        rng.below(2) == 0 ? weight * static_cast<std::uint32_t>(rng.below(300)) : rng.next_u32();
    QuantizedSum sum;
    EXPECT_EQ(add(sum, {{word, weight}}, grid).has_value(),
              word % weight == 0 && word / weight <= 255)
        << word << " of weight " << weight;
  }
}

TEST(AddDeath, MoreUpdatesThanTheSumHoldsAreABug) {
  const Grid grid{.range = 1, .bits = 24, .weight_max = 256};
  QuantizedSum sum;
  ASSERT_TRUE(add(sum, {{0, 1}}, grid));
  EXPECT_DEATH(static_cast<void>(add(sum, {{0, 1}}, grid)), "do not fit");
}

TEST(DequantizeMean, IsTheWeightedMeanWithinTheGrid) {
  Rng rng(9);
  const Grid grid{.range = 1, .bits = 16, .weight_max = 100};
  constexpr std::size_t kEntries = 200;
  std::vector<double> expected(kEntries);
  double total = 0;
  QuantizedSum sum;
  for (int node = 0; node < 20; ++node) {
    ClippedUpdate update{std::vector<float>(kEntries),
                         1 + static_cast<std::uint32_t>(rng.below(100))};
    for (float& value : update.values) value = static_cast<float>(2 * rng.uniform() - 1);
    for (std::size_t i = 0; i < kEntries; ++i)
      expected[i] += static_cast<double>(update.weight) * update.values[i];
    total += update.weight;
    ASSERT_TRUE(add(sum, quantize(update, grid, from(rng)), grid));
  }
  const auto mean = dequantize_mean(sum, grid);
  ASSERT_TRUE(mean);
  EXPECT_EQ(mean->total_weight, total);
  EXPECT_EQ(mean->count, 20u);
  const double step = 2.0 / 65535;
  for (std::size_t i = 0; i < kEntries; ++i)
    EXPECT_NEAR(mean->values[i], expected[i] / total, step) << i;
}

TEST(DequantizeMean, GivesTheEndsOfTheRangeBackExactly) {
  const Grid grid{.range = 0.625f, .bits = 16, .weight_max = 9};
  QuantizedSum sum;
  for (const std::uint32_t weight : {9u, 4u})
    ASSERT_TRUE(add(sum, quantize({{-0.625f, 0.625f}, weight}, grid, always(0)), grid));
  EXPECT_EQ(dequantize_mean(sum, grid)->values, (std::vector<float>{-0.625f, 0.625f}));
}

TEST(DequantizeMean, RefusesASumThatNoUpdatesGive) {
  const Grid grid{.range = 1, .bits = 8};
  EXPECT_EQ(dequantize_mean({{0, 0}, 1}, grid).error().what, "the total weight of the sum is zero");
  EXPECT_EQ(dequantize_mean({{511, 2}, 2}, grid).error().what,
            "a word of the sum is above what its weight allows");
  EXPECT_TRUE(dequantize_mean({{510, 2}, 2}, grid));
}

}  // namespace
}  // namespace freshet
