#include "crypto/keyed_rng.h"

#include <gtest/gtest.h>

#include <vector>

namespace freshet {
namespace {

constexpr CampaignId kCampaign{0x0102030405060708};

Secret known_storage() {
  Secret key(32);
  for (std::uint8_t i = 0; i < 32; ++i) key.writable()[i] = i;
  return key;
}

std::vector<std::uint32_t> first_words(const Secret& storage, std::string_view purpose,
                                       CampaignId campaign, VersionId version) {
  KeyedRng rng(storage, purpose, campaign, version);
  std::vector<std::uint32_t> words(8);
  for (auto& word : words) word = rng.next_u32();
  return words;
}

// From an independent implementation of BLAKE2b and ChaCha20; word 1024 is the first of the second
// buffer.
TEST(KeyedRng, IsAKnownStream) {
  const Secret storage = known_storage();
  KeyedRng rng(storage, "rounding", kCampaign, VersionId{9});
  std::vector<std::uint32_t> words(1026);
  for (auto& word : words) word = rng.next_u32();
  EXPECT_EQ(words[0], 0xe4df5019u);
  EXPECT_EQ(words[1], 0x82dff65bu);
  EXPECT_EQ(words[2], 0xd00039fcu);
  EXPECT_EQ(words[1024], 0x40c5f952u);
  EXPECT_EQ(words[1025], 0xf2914345u);

  KeyedRng wide(storage, "rounding", kCampaign, VersionId{9});
  EXPECT_EQ(wide.next_u64(), 0x82dff65be4df5019u);
  EXPECT_EQ(wide.uniform(), 0xd00039fcu * 0x1p-32);
}

TEST(KeyedRng, RepeatsItselfAndDependsOnEveryInput) {
  const Secret storage = known_storage();
  const auto base = first_words(storage, "rounding", kCampaign, VersionId{9});
  EXPECT_EQ(first_words(storage, "rounding", kCampaign, VersionId{9}), base);
  EXPECT_NE(first_words(storage, "rounding", kCampaign, VersionId{10}), base);
  EXPECT_NE(first_words(storage, "rounding", CampaignId{1}, VersionId{9}), base);
  EXPECT_NE(first_words(storage, "noise", kCampaign, VersionId{9}), base);
  EXPECT_NE(first_words(Secret::random(32), "rounding", kCampaign, VersionId{9}), base);
}

}  // namespace
}  // namespace freshet
