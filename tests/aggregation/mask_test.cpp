#include "aggregation/mask.h"

#include <cmath>

#include "aggregation/clip.h"
#include "aggregation/pack.h"
#include "tests/crypto/secagg/cohort.h"

namespace freshet {
namespace {

using secagg::first_indices;
using secagg::Indices;

FillRandom fill_from(Rng& rng) {
  return [&rng](std::span<std::uint32_t> out) {
    for (auto& word : out) word = rng.next_u32();
  };
}

TEST(WordBits, HoldEverySumAndItsNoise) {
  struct Row {
    std::uint32_t n, weight_max;
    int bits;
  };
  for (const Row& row : {Row{16, 1, 20}, Row{64, 1, 22}, Row{128, 1, 23}, Row{256, 1, 24},
                         Row{1024, 1, 26}, Row{16, 1024, 30}, Row{64, 1024, 32}})
    EXPECT_EQ(word_bits({1, 16, row.weight_max}, row.n, 0).value(), row.bits) << row.n;
  EXPECT_EQ(word_bits({1, 16, 1}, 64, 3).value(), 22);
  EXPECT_EQ(word_bits({1, 16, 1}, 64, 4).value(), 23);  // 20 sigma no longer fit beside the sum
  EXPECT_FALSE(word_bits({1, 16, 1024}, 128, 0));
  EXPECT_FALSE(word_bits({1, 16, 1}, 64, -1));
  EXPECT_FALSE(word_bits({1, 16, 1}, 64, std::nan("")));
  EXPECT_FALSE(word_bits({1, 16, 1}, 64, 1e9));
  EXPECT_FALSE(word_bits({0, 16, 1}, 64, 0));
  for (std::uint32_t n = 1; n < 3000; n += 7) {
    const int bits = word_bits({1, 16, 1}, n, 0).value();
    const std::uint64_t values = std::uint64_t{65535} * n + 1;
    EXPECT_LE(values, std::uint64_t{1} << bits);
    EXPECT_GT(values, std::uint64_t{1} << (bits - 1));
  }
}

// Weighted updates of a cohort, masked, of whom some vanish before they send.
struct MaskedRound {
  MaskedRound(std::uint32_t n, Indices survived)
      : cohort(n, 2 * n / 3 + 1, secagg::complete(n)), survivors(std::move(survived)) {
    cohort.deliver(all = first_indices(n));
    for (std::uint32_t i = 0; i < n; ++i) {
      Update update;
      for (int v = 0; v < 100; ++v)
        update.values.push_back(static_cast<float>(0.01 * rng.normal()));
      update.weight = 1 + i % grid.weight_max;
      plain.push_back(quantize(clip(update, 1).value().update, grid, fill_from(rng)));
      masked.push_back(mask(plain.back(), bits, cohort.keys[i], all).value());
    }
  }
  secagg::Recovery recovery() {
    secagg::Recovery found = secagg::Recovery::start(cohort.unmasking(all, survivors)).value();
    for (const std::uint32_t member : survivors)
      EXPECT_TRUE(found.take(member, cohort.keys[member].reveal(survivors, all).value()));
    EXPECT_TRUE(found.rebuild());
    return found;
  }

  Rng rng{23};
  Grid grid{0.5f, 12, 3};
  int bits = word_bits(grid, 8, 0).value();
  secagg::Cohort cohort;
  Indices all, survivors;
  std::vector<QuantizedUpdate> plain;
  std::vector<MaskedUpdate> masked;
};

TEST(Mask, SumOfSurvivorsIsThePlainSumBitForBit) {
  MaskedRound round(7, {0, 1, 2, 4, 6});
  MaskedSum sum;
  QuantizedSum plain;
  for (const std::uint32_t member : round.survivors) {
    ASSERT_TRUE(add(sum, round.masked[member]));
    ASSERT_TRUE(add(plain, round.plain[member], round.grid));
  }
  const QuantizedSum unmasked = unmask(sum, round.recovery());
  EXPECT_EQ(unmasked.words, plain.words);
  EXPECT_EQ(unmasked.count, 5u);
  EXPECT_EQ(dequantize_mean(unmasked, round.grid)->values,
            dequantize_mean(plain, round.grid)->values);
  EXPECT_EQ(unmasked.words.back(), 1u + 2 + 3 + 2 + 1);  // weights go the same way
}

TEST(Mask, ThroughPackedWordsItIsTheSame) {
  MaskedRound round(5, {0, 1, 3, 4});
  MaskedSum sum, packed_sum;
  for (const std::uint32_t member : round.survivors) {
    const MaskedUpdate& update = round.masked[member];
    ASSERT_TRUE(add(sum, update));
    ASSERT_TRUE(
        add_packed(packed_sum, pack(update.words, update.bits), update.words.size(), update.bits));
  }
  EXPECT_EQ(packed_sum.words, sum.words);
  EXPECT_EQ(packed_sum.count, 4u);
  const secagg::Recovery recovery = round.recovery();
  EXPECT_EQ(unmask(packed_sum, recovery).words, unmask(sum, recovery).words);
}

TEST(Mask, SecondVectorOfOneRoundIsRefused) {
  MaskedRound round(4, first_indices(4));
  const auto second = mask(round.plain[0], round.bits, round.cohort.keys[0], round.all);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kRefused);
}

TEST(Mask, UpdateOfAnotherShapeLeavesTheSumAsItWas) {
  MaskedSum sum;
  ASSERT_TRUE(add(sum, {{1, 2, 3}, 20}));
  const MaskedSum before = sum;
  EXPECT_FALSE(add(sum, {{1, 2}, 20}));
  EXPECT_FALSE(add(sum, {{1, 2, 3}, 21}));
  EXPECT_FALSE(add(sum, {{1, 2, 3}, 0}));
  EXPECT_FALSE(add_packed(sum, Bytes(7), 3, 20));
  EXPECT_FALSE(add_packed(sum, Bytes(8), 3, 21));
  EXPECT_FALSE(add_packed(sum, Bytes(8, 0xff), 3, 20));  // a padding bit is set
  EXPECT_FALSE(add_packed(sum, Bytes(8), 3, 33));
  EXPECT_EQ(sum.words, before.words);
  EXPECT_EQ(sum.count, 1u);
  EXPECT_TRUE(add_packed(sum, pack(std::vector<std::uint32_t>{1, 2, 0xfffff}, 20), 3, 20));
  EXPECT_EQ(sum.words, (std::vector<std::uint32_t>{2, 4, 2}));
}

TEST(MaskDeath, SumOverOthersThanTheSurvivorsIsABug) {
  MaskedRound round(4, {0, 1, 2});
  MaskedSum sum;
  for (const std::uint32_t member : {0u, 1u}) ASSERT_TRUE(add(sum, round.masked[member]));
  EXPECT_DEATH(unmask(sum, round.recovery()), "a sum of 2 updates over 3 survivors");
}

TEST(DecodeCentred, ReadsNoiseBelowZeroAndAboveTheTop) {
  const int bits = 10;  // 1024 values for sums from 0 to 600
  const std::vector<std::uint32_t> words = {0, 1, 600, 700, 811, 812, 1023, 900};
  EXPECT_EQ(decode_centred(words, bits, 600),
            (std::vector<std::int64_t>{0, 1, 600, 700, 811, -212, -1, -124}));
  EXPECT_EQ(decode_centred(std::vector<std::uint32_t>{0xffffffff}, 32, 0),
            (std::vector<std::int64_t>{-1}));
}

}  // namespace
}  // namespace freshet
