#include "aggregation/pack.h"

#include <gtest/gtest.h>

#include "base/rng.h"

namespace freshet {
namespace {

TEST(Pack, PutsWordsInLittleEndianBitOrder) {
  EXPECT_EQ(pack(std::vector<std::uint32_t>{0x123, 0xabc}, 12), (Bytes{0x23, 0xc1, 0xab}));
  EXPECT_EQ(pack(std::vector<std::uint32_t>{1, 0, 1, 1}, 1), (Bytes{0x0d}));
  EXPECT_EQ(pack(std::vector<std::uint32_t>{0xdeadbeef}, 32), (Bytes{0xef, 0xbe, 0xad, 0xde}));
  EXPECT_EQ(pack({}, 7), Bytes{});
}

TEST(Pack, UnpackIsItsInverseForEveryWidth) {
  Rng rng(11);
  for (int bits = 1; bits <= 32; ++bits)
    for (std::size_t count = 0; count < 40; ++count) {
      std::vector<std::uint32_t> words(count);
      for (auto& word : words) word = rng.next_u32() >> (32 - bits);
      const Bytes packed = pack(words, bits);
      EXPECT_EQ(packed.size(), (count * static_cast<std::size_t>(bits) + 7) / 8);
      const auto unpacked = unpack(packed, count, bits);
      ASSERT_TRUE(unpacked) << bits << " bits, " << count << " words";
      EXPECT_EQ(*unpacked, words) << bits << " bits, " << count << " words";
    }
}

TEST(Pack, UnpackRefusesAnotherLength) {
  const Bytes packed = pack(std::vector<std::uint32_t>{1, 2, 3}, 17);
  EXPECT_EQ(unpack(packed, 4, 17).error().what, "4 words of 17 bits take 9 bytes, not 7");
  EXPECT_FALSE(unpack(ByteView(packed).first(6), 3, 17));
}

TEST(Pack, UnpackRefusesPaddingBits) {
  Bytes packed = pack(std::vector<std::uint32_t>{1, 2, 3}, 17);  // 51 bits: 5 of padding
  for (int bit = 3; bit < 8; ++bit) {
    Bytes other = packed;
    other.back() = static_cast<std::uint8_t>(other.back() | 1 << bit);
    EXPECT_FALSE(unpack(other, 3, 17)) << "bit " << bit;
  }
  packed.back() ^= 1 << 2;  // a bit of the last word is no padding
  EXPECT_TRUE(unpack(packed, 3, 17));
}

TEST(Pack, AddsWordsWithoutACopyOfThem) {
  Rng rng(12);
  for (int bits = 1; bits <= 32; ++bits)
    for (std::size_t count : {0, 1, 2, 7, 8, 9, 100}) {
      std::vector<std::uint32_t> sum(count), expected(count), words(count);
      for (std::size_t i = 0; i < count; ++i) {
        sum[i] = rng.next_u32() >> (32 - bits);
        words[i] = rng.next_u32() >> (32 - bits);
        expected[i] = (sum[i] + words[i]) & (~std::uint32_t{0} >> (32 - bits));
      }
      ASSERT_TRUE(add_packed_words(sum, pack(words, bits), bits));
      EXPECT_EQ(sum, expected) << bits << " bits, " << count << " words";
    }
}

TEST(PackDeath, AWordThatDoesNotFitIsABug) {
  EXPECT_DEATH(pack(std::vector<std::uint32_t>{8}, 3), "more than 3 bits");
}

}  // namespace
}  // namespace freshet
