#include "crypto/secagg/round_keys.h"

#include <cmath>

#include "tests/crypto/secagg/cohort.h"

namespace freshet::secagg {
namespace {

constexpr std::size_t kWords = 40;
constexpr int kWordBits = 22;

// Four who all share, whose boxes have come.
struct Ready : Cohort {
  Ready() : Cohort(4, 3, complete(4)) { deliver(all); }
  Indices all = first_indices(4);
  Words words = Cohort::update(0, kWords);
};

std::set<std::pair<std::uint32_t, bool>> kinds(std::span<const RevealedShare> shares) {
  std::set<std::pair<std::uint32_t, bool>> all;
  for (const RevealedShare& share : shares) all.insert({share.of, share.self_mask});
  return all;
}

TEST(RoundKeys, AdvertsOfTwoRoundsHaveNothingInCommon) {
  const Advert a = RoundKeys::make().advert(), b = RoundKeys::make().advert();
  EXPECT_NE(a.cipher, b.cipher);
  EXPECT_NE(a.mask, b.mask);
  EXPECT_NE(a.commit, b.commit);
  EXPECT_NE(a.nonce, b.nonce);
}

TEST(RoundKeys, RefuseANeighbourhoodThatIsNone) {
  std::vector<Advert> roster;
  for (int i = 0; i < 4; ++i) roster.push_back(RoundKeys::make().advert());
  const Bound bound = bound_for_test();
  auto refusal = [&](const Indices& indices, std::uint32_t threshold) {
    RoundKeys keys = RoundKeys::make();
    const auto boxes = keys.share(bound, 0, peers_of(roster, indices), threshold);
    return boxes ? "" : boxes.error().what;
  };
  EXPECT_EQ(refusal({1, 2, 3}, 3), "");
  EXPECT_EQ(refusal({1, 2, 1}, 3), "member 1 comes twice");
  EXPECT_EQ(refusal({0, 1, 2}, 3), "member 0 comes twice");
  EXPECT_EQ(refusal({1, 2, 3}, 5), "5 of 4 shares to rebuild a secret");
  EXPECT_EQ(refusal({1, 2, 3}, 1), "1 of 4 shares to rebuild a secret");
  EXPECT_EQ(refusal({}, 2), "2 of 1 shares to rebuild a secret");
  roster[2].mask = {};
  EXPECT_EQ(refusal({1, 2, 3}, 3), "member 2: a mask key of low order, which nobody can own");
  roster[1].cipher = {};
  EXPECT_EQ(refusal({1, 2, 3}, 3),
            "member 1: a cipher key that is no point of the group, or its identity");
}

TEST(RoundKeys, TakeABoxOncePerNeighbour) {
  Cohort cohort(4, 3, complete(4));
  const SealedShare box = cohort.sent[{1, 0}];
  EXPECT_TRUE(cohort.keys[0].take(1, box));
  EXPECT_TRUE(cohort.keys[0].take(1, box));  // it came twice
  SealedShare other = box;
  other.box[50] ^= 1;
  EXPECT_EQ(cohort.keys[0].take(1, other).error().code, Code::kRefused);
  EXPECT_EQ(cohort.keys[0].take(2, cohort.sent[{2, 1}]).error().code, Code::kRefused);
  EXPECT_EQ(cohort.keys[0].take(2, cohort.sent[{3, 0}]).error().code, Code::kBadInput);
  EXPECT_EQ(cohort.keys[0].take(7, box).error().code, Code::kRefused);
}

TEST(RoundKeys, ShowWhatIsWrongWithABadBoxAndWithNoOther) {
  Cohort cohort(4, 3, complete(4));
  SealedShare bad = cohort.sent[{1, 0}];
  bad.box[50] ^= 1;
  EXPECT_EQ(cohort.keys[0].evidence_against(1).error().code, Code::kRefused);
  EXPECT_EQ(cohort.keys[0].take(1, bad).error().code, Code::kBadInput);
  ASSERT_TRUE(cohort.keys[0].take(2, cohort.sent[{2, 0}]));
  EXPECT_EQ(cohort.keys[0].evidence_against(2).error().code, Code::kRefused);
  const auto evidence = cohort.keys[0].evidence_against(1);
  ASSERT_TRUE(evidence);
  const Direction direction{1, 0, cohort.roster[1].cipher, cohort.roster[0].cipher};
  EXPECT_EQ(judge(cohort.bound, direction, bad, *evidence), Verdict::kSenderLied);
  EXPECT_EQ(judge(cohort.bound, direction, cohort.sent[{1, 0}], *evidence),
            Verdict::kComplainerLied);
}

TEST(RoundKeys, MaskOneVector) {
  Ready ready;
  ASSERT_TRUE(ready.keys[0].mask(ready.words, kWordBits, ready.all));
  Words second = ready.words, before = ready.words;
  EXPECT_EQ(ready.keys[0].mask(second, kWordBits, ready.all).error().code, Code::kRefused);
  EXPECT_EQ(second, before);
  EXPECT_EQ(ready.keys[0].mask(second, kWordBits, Indices{0, 1, 2}).error().code, Code::kRefused);
}

TEST(RoundKeys, MaskOnlyAmongEnoughWhoseSharesHaveCome) {
  const std::vector<Indices> wrong = {{0, 1}, {1, 2, 3}, {0, 2, 1}, {0, 1, 1, 2}, {}, {0}};
  for (const Indices& sharers : wrong) {
    Ready ready;
    EXPECT_EQ(ready.keys[0].mask(ready.words, kWordBits, sharers).error().code, Code::kRefused)
        << testing::PrintToString(sharers);
    EXPECT_EQ(ready.words, Cohort::update(0, kWords));
  }
  Cohort cohort(4, 3, complete(4));
  cohort.deliver({0, 1, 2});
  Words words = Cohort::update(0, kWords);
  EXPECT_EQ(cohort.keys[0].mask(words, kWordBits, first_indices(4)).error().what,
            "no shares of member 3 have come");
  EXPECT_TRUE(cohort.keys[0].mask(words, kWordBits, Indices{0, 1, 2}));
}

TEST(RoundKeys, RevealOneKindOfShareOfEach) {
  Ready ready;
  ASSERT_TRUE(ready.keys[0].mask(ready.words, kWordBits, ready.all));
  const auto shares = ready.keys[0].reveal(Indices{0, 1, 3}, ready.all);
  ASSERT_TRUE(shares);
  EXPECT_EQ(kinds(*shares), (std::set<std::pair<std::uint32_t, bool>>{
                                {0, true}, {1, true}, {2, false}, {3, true}}));
  EXPECT_EQ(shares->size(), 4u);
  for (const Indices& survivors : {Indices{0, 1, 3}, Indices{0, 1, 2}, ready.all})
    EXPECT_EQ(ready.keys[0].reveal(survivors, ready.all).error().code, Code::kRefused);
}

TEST(RoundKeys, RevealNothingForListsThatCannotBe) {
  struct Lists {
    Indices survivors, sharers;
  };
  const std::vector<Lists> wrong = {
      {{1, 2, 3}, {0, 1, 2, 3}},     // without this node
      {{0, 1}, {0, 1, 2, 3}},        // too few
      {{0, 1, 2, 3}, {0, 1, 2}},     // other sharers
      {{0, 1, 2, 4}, {0, 1, 2, 3}},  // a survivor who did not share
      {{0, 2, 1}, {0, 1, 2, 3}},     // in disorder
      {{0, 1, 1, 2}, {0, 1, 2, 3}},  // twice
      {{}, {0, 1, 2, 3}},
  };
  Ready ready;
  EXPECT_EQ(ready.keys[0].reveal(ready.all, ready.all).error().code, Code::kRefused);  // no vector
  ASSERT_TRUE(ready.keys[0].mask(ready.words, kWordBits, ready.all));
  for (const Lists& lists : wrong)
    EXPECT_EQ(ready.keys[0].reveal(lists.survivors, lists.sharers).error().code, Code::kRefused)
        << testing::PrintToString(lists.survivors);
  EXPECT_TRUE(ready.keys[0].reveal(ready.all, ready.all));  // they cost the node nothing
}

TEST(RoundKeys, MaskedWordsLookLikeChance) {
  Cohort cohort(4, 3, complete(4));
  cohort.deliver(first_indices(4));
  Words words(1 << 16);  // all zero
  ASSERT_TRUE(cohort.keys[0].mask(words, 16, first_indices(4)));
  std::vector<double> seen(256);
  for (const std::uint32_t word : words) {
    ASSERT_LT(word, 1u << 16);
    ++seen[word & 255], ++seen[word >> 8];
  }
  double chi2 = 0;
  const double expected = 2.0 * static_cast<double>(words.size()) / 256;
  for (const double count : seen) chi2 += (count - expected) * (count - expected) / expected;
  EXPECT_LT(chi2, 255 + 6 * std::sqrt(2 * 255.0));
  EXPECT_GT(chi2, 255 - 6 * std::sqrt(2 * 255.0));
}

TEST(RoundKeys, OfNodesThatLoadedOtherModelsDoNotCancel) {
  Cohort cohort(3, 2, complete(3));
  std::vector<RoundKeys> keys;
  std::vector<Advert> roster;
  for (int i = 0; i < 3; ++i) keys.push_back(RoundKeys::make()), roster.push_back(keys[i].advert());
  Words sum(kWords);
  std::map<std::uint32_t, std::vector<SealedShare>> boxes;
  for (std::uint32_t i = 0; i < 3; ++i) {
    Bound bound = bound_for_test();
    if (i == 1) bound.supplied[0] ^= 1;
    Indices others = first_indices(3);
    std::erase(others, i);
    boxes[i] = keys[i].share(bound, i, peers_of(roster, others), 2).value();
  }
  for (auto& [from, sealed] : boxes)
    for (const SealedShare& box : sealed) ASSERT_TRUE(keys[box.to].take(from, box));
  Unmasking round = cohort.unmasking(first_indices(3), first_indices(3), false);
  round.roster = roster;
  Recovery recovery = Recovery::start(std::move(round)).value();
  for (std::uint32_t i = 0; i < 3; ++i) {
    Words words(kWords);
    ASSERT_TRUE(keys[i].mask(words, 32, first_indices(3)));
    for (std::size_t w = 0; w < kWords; ++w) sum[w] += words[w];
    ASSERT_TRUE(recovery.take(i, keys[i].reveal(first_indices(3), first_indices(3)).value()));
  }
  ASSERT_TRUE(recovery.rebuild());
  recovery.remove(sum, 32);
  EXPECT_EQ(std::ranges::count(sum, 0u), 0);
}

}  // namespace
}  // namespace freshet::secagg
