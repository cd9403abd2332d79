#include "crypto/secagg/mask_stream.h"

#include <gtest/gtest.h>
#include <sodium.h>

#include "base/rng.h"

namespace freshet::secagg {
namespace {

using Words = std::vector<std::uint32_t>;

struct Streams {
  explicit Streams(std::size_t count, std::uint64_t seed = 3) : bytes(count) {
    Rng rng(seed);
    for (std::size_t i = 0; i < count; ++i) {
      for (auto& byte : bytes[i]) byte = static_cast<std::uint8_t>(rng.next_u32());
      keys.push_back({bytes[i], i % 3 != 1});
    }
  }
  std::vector<std::array<std::uint8_t, 32>> bytes;
  std::vector<MaskKey> keys;
};

// What apply_masks should do, with one call of the library for each whole stream.
Words slowly(Words words, std::span<const MaskKey> keys) {
  const std::array<std::uint8_t, 12> nonce{};
  if (words.empty()) return words;
  for (const MaskKey& key : keys) {
    Words stream(words.size());
    crypto_stream_chacha20_ietf(reinterpret_cast<unsigned char*>(stream.data()), 4 * stream.size(),
                                nonce.data(), key.key.data());
    for (std::size_t i = 0; i < words.size(); ++i) words[i] += key.add ? stream[i] : 0 - stream[i];
  }
  return words;
}

TEST(MaskStream, IsChaCha20OfAZeroKey) {  // RFC 8439, A.1
  const std::array<std::uint8_t, 32> key{};
  Words words(8);
  apply_masks(words, std::vector<MaskKey>{{key, true}});
  EXPECT_EQ(to_hex(as_bytes(std::span<const std::uint32_t>(words))),
            "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7");
}

TEST(MaskStream, SizesAroundBlocksAndPasses) {
  const Streams streams(5);
  for (std::size_t size :
       {0, 1, 15, 16, 17, 255, 256, 257, 1023, 1040, 2047, 2048, 2049, 4096, 5003}) {
    Words words(size, 7);
    const Words expected = slowly(words, streams.keys);
    apply_masks(words, streams.keys);
    EXPECT_EQ(words, expected) << size << " words";
  }
}

TEST(MaskStream, BeginsWhereAsked) {
  const Streams streams(4);
  Words whole(10'000);
  apply_masks(whole, streams.keys);
  Words parts(10'000);
  for (std::size_t begin = 0; begin < parts.size(); begin += 2064)
    apply_masks(std::span(parts).subspan(begin, std::min<std::size_t>(2064, parts.size() - begin)),
                streams.keys, begin);
  EXPECT_EQ(parts, whole);
}

TEST(MaskStream, WhatIsAddedIsSubtracted) {
  Streams streams(3);
  Words words(3000, 5);
  apply_masks(words, streams.keys);
  EXPECT_NE(words, Words(3000, 5));
  for (MaskKey& key : streams.keys) key.add = !key.add;
  apply_masks(words, streams.keys);
  EXPECT_EQ(words, Words(3000, 5));
}

TEST(MaskStream, KeepsLowBits) {
  Words words = {0xffffffff, 0x00ff00ff, 9};
  keep_bits(words, 32);
  EXPECT_EQ(words[0], 0xffffffff);
  keep_bits(words, 20);
  EXPECT_EQ(words, (Words{0xfffff, 0xf00ff, 9}));
}

TEST(MaskStreamDeath, AStreamBeginsAtABlock) {
  Words words(16);
  EXPECT_DEATH(apply_masks(words, {}, 8), "masks from word 8");
}

}  // namespace
}  // namespace freshet::secagg
