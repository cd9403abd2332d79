// A round of three, bit for bit: keys, streams, masked vectors and sums, computed elsewhere with
// another X25519, ChaCha20 and BLAKE2b.
#include <gtest/gtest.h>

#include "crypto/secagg/derive.h"
#include "tests/crypto/secagg/cohort.h"

namespace freshet::secagg {
namespace {

using Bytes32 = std::array<std::uint8_t, 32>;

Bytes32 filled(std::uint32_t value) {
  Bytes32 bytes;
  bytes.fill(static_cast<std::uint8_t>(value));
  return bytes;
}

// Members are numbered from 1 in the vector and from 0 here.
struct MiniRound {
  Bytes32 secret(std::uint32_t index) const { return filled(index + 1); }
  MaskPublic key(std::uint32_t index) const { return mask_public(secret(index)); }
  Bytes32 pair(std::uint32_t a, std::uint32_t b) const {
    Bytes32 agreed, pair;
    EXPECT_TRUE(agree_on_mask(secret(a), key(b), agreed));
    const MaskPublic key_a = key(a), key_b = key(b);
    pair_mask_key(agreed, bound, {a, key_a}, {b, key_b}, pair);
    return pair;
  }
  Bytes32 self(std::uint32_t index) const {
    Bytes32 self;
    self_mask_key(filled(0x11 + index), bound, index, self);
    return self;
  }
  Words masked(std::uint32_t index) const {
    Words words = plain[index];
    std::vector<Bytes32> keys = {self(index)};
    std::vector<MaskKey> streams;
    for (std::uint32_t other = 0; other < 3; ++other)
      if (other != index) keys.push_back(pair(index, other));
    std::size_t next = 0;
    streams.push_back({keys[next++], true});
    for (std::uint32_t other = 0; other < 3; ++other)
      if (other != index) streams.push_back({keys[next++], index > other});
    apply_masks(words, streams);
    return words;
  }

  Bound bound = bound_for_test();
  std::array<Words, 3> plain = {{{1, 2, 3, 4}, {10, 20, 30, 40}, {100, 200, 300, 400}}};
};

TEST(MiniRound, PublicKeys) {
  const MiniRound round;
  EXPECT_EQ(to_hex(round.key(0).bytes),
            "a4e09292b651c278b9772c569f5fa9bb13d906b46ab68c9df9dc2b4409f8a209");
  EXPECT_EQ(to_hex(round.key(1).bytes),
            "ce8d3ad1ccb633ec7b70c17814a5c76ecd029685050d344745ba05870e587d59");
  EXPECT_EQ(to_hex(round.key(2).bytes),
            "5dfedd3b6bd47f6fa28ee15d969d5bb0ea53774d488bdaf9df1c6e0124b3ef22");
}

TEST(MiniRound, PairKeysAreTheSameFromBothEnds) {
  const MiniRound round;
  EXPECT_EQ(to_hex(round.pair(0, 1)),
            "1ed30f77c9706e797dbf0858dddfd3b36ebd660ea05f82deea7364ffba003d81");
  EXPECT_EQ(to_hex(round.pair(2, 0)),
            "9e111393d8fb789a29214102ae72ec50cff62a7395905b2dd1a075de15e2120d");
  EXPECT_EQ(to_hex(round.pair(2, 1)),
            "1f7e20b8aa318fd18a6a8212360af8aff0ee204f70e9a4798ab8d1d2f24691ec");
  EXPECT_EQ(round.pair(0, 1), round.pair(1, 0));
}

TEST(MiniRound, SelfKeys) {
  const MiniRound round;
  EXPECT_EQ(to_hex(round.self(0)),
            "55f271ff1404a59a70c88b3cca2050232dc77301abbb23e89b2ed639aa39f6e9");
  EXPECT_EQ(to_hex(round.self(1)),
            "d52290148e176c91b524019e8f363aee0aff83af4b388fa99732c1f26830d39d");
  EXPECT_EQ(to_hex(round.self(2)),
            "fc0b63b799601077cb1c8aa58c1c44a4c2e32418a7b99967e36ac6d598bac6f6");
}

TEST(MiniRound, StreamOfAPair) {
  const MiniRound round;
  const Bytes32 key = round.pair(0, 1);
  Words words(4);
  apply_masks(words, std::vector<MaskKey>{{key, true}});
  EXPECT_EQ(words, (Words{630937426, 1851255956, 1776010320, 3595864052}));
}

TEST(MiniRound, MaskedVectors) {
  const MiniRound round;
  EXPECT_EQ(round.masked(0), (Words{3379053993, 331302676, 3992830308, 4242639605}));
  EXPECT_EQ(round.masked(1), (Words{175345262, 1220024666, 2061515453, 3319653078}));
  EXPECT_EQ(round.masked(2), (Words{1771861013, 2655880775, 2168416468, 2939575144}));
}

Words sum_of(std::initializer_list<Words> vectors) {
  Words sum(4);
  for (const Words& words : vectors)
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += words[i];
  return sum;
}

TEST(MiniRound, UnmasksToTheSumOfAll) {
  const MiniRound round;
  Words sum = sum_of({round.masked(0), round.masked(1), round.masked(2)});
  const std::array keys = {round.self(0), round.self(1), round.self(2)};
  apply_masks(sum, std::vector<MaskKey>{{keys[0], false}, {keys[1], false}, {keys[2], false}});
  EXPECT_EQ(sum, (Words{111, 222, 333, 444}));
}

TEST(MiniRound, UnmasksToTheSumOfSurvivorsWhenTheSecondDropped) {
  const MiniRound round;
  Words sum = sum_of({round.masked(0), round.masked(2)});
  const std::array keys = {round.self(0), round.self(2), round.pair(1, 0), round.pair(1, 2)};
  // The first subtracted its mask with the second, the third added its own.
  apply_masks(sum, std::vector<MaskKey>{
                       {keys[0], false}, {keys[1], false}, {keys[2], true}, {keys[3], false}});
  EXPECT_EQ(sum, (Words{101, 202, 303, 404}));
}

// A node's keys do what the vector's arithmetic does, from the seeds that they share.
TEST(MiniRound, IsWhatRoundKeysDo) {
  std::vector<std::vector<std::uint8_t>> drawn(3);  // of each node, in order
  std::vector<RoundKeys> keys;
  std::vector<Advert> roster;
  for (auto& mine : drawn) {
    Seams seams = usual_seams();
    seams.fill = [&mine](std::span<std::uint8_t> out) {
      random_bytes(out);
      mine.insert(mine.end(), out.begin(), out.end());
    };
    keys.push_back(RoundKeys::make_with(std::move(seams)));
    roster.push_back(keys.back().advert());
  }
  auto seed = [&](std::uint32_t i, std::size_t which) {
    return reduce(std::span<const std::uint8_t, 64>(drawn[i].data() + 64 * which, 64));
  };
  const Bound bound = bound_for_test();
  const Scalar pair_seed = seed(1, 1), self_seed = seed(1, 2);
  for (std::uint32_t i = 0; i < 3; ++i) {
    Indices others = first_indices(3);
    std::erase(others, i);
    const auto boxes = keys[i].share(bound, i, peers_of(roster, others), 2).value();
    for (const SealedShare& box : boxes)
      if (box.to == 1 && i != 1) drawn[i].assign(box.box.begin(), box.box.end());
  }
  for (const std::uint32_t i : {0u, 2u}) {
    SealedShare box{1, {}};
    std::ranges::copy(drawn[i], box.box.begin());
    ASSERT_TRUE(keys[1].take(i, box));
  }
  Words words = {10, 20, 30, 40};
  ASSERT_TRUE(keys[1].mask(words, 32, first_indices(3)));

  Bytes32 secret, root, agreed, low, high, self;
  mask_secret(pair_seed, secret);
  ASSERT_EQ(mask_public(secret), roster[1].mask);
  self_mask_root(self_seed, root);
  self_mask_key(root, bound, 1, self);
  ASSERT_TRUE(agree_on_mask(secret, roster[0].mask, agreed));
  pair_mask_key(agreed, bound, {0, roster[0].mask}, {1, roster[1].mask}, low);
  ASSERT_TRUE(agree_on_mask(secret, roster[2].mask, agreed));
  pair_mask_key(agreed, bound, {1, roster[1].mask}, {2, roster[2].mask}, high);
  apply_masks(words, std::vector<MaskKey>{{self, false}, {low, false}, {high, true}});
  EXPECT_EQ(words, (Words{10, 20, 30, 40}));
}

}  // namespace
}  // namespace freshet::secagg
