#include "crypto/secagg/recovery.h"

#include "tests/crypto/secagg/cohort.h"

namespace freshet::secagg {
namespace {

constexpr std::size_t kSize = 37;
constexpr int kBits = 20;

Indices members(std::uint32_t bits) {
  Indices all;
  for (std::uint32_t i = 0; i < 32; ++i)
    if (bits >> i & 1) all.push_back(i);
  return all;
}

Indices without(Indices all, const Indices& gone) {
  std::erase_if(all, [&](auto index) { return std::ranges::count(gone, index); });
  return all;
}

// A round up to unmasking: who shared, who survived, what came in and what the survivors reveal.
struct Round {
  Round(
      std::uint32_t n, std::uint32_t threshold, std::function<Indices(std::uint32_t)> graph,
      Indices shared, Indices survived, const std::function<void(Cohort&)>& change = [](Cohort&) {})
      : cohort(n, threshold, std::move(graph)),
        sharers(std::move(shared)),
        survivors(std::move(survived)) {
    change(cohort);
    cohort.deliver(sharers);
    sum = cohort.masked_sum(sharers, survivors, kSize, kBits);
  }
  std::vector<RevealedShare> revealed(std::uint32_t member) {
    if (!cache.contains(member))
      cache[member] = cohort.keys[member].reveal(survivors, sharers).value();
    return cache[member];
  }
  // With a share of `of` that is not the one it got.
  std::vector<RevealedShare> wrong(std::uint32_t member, std::uint32_t of) {
    auto shares = revealed(member);
    for (RevealedShare& share : shares)
      if (share.of == of) share.value[3] ^= 1;
    return shares;
  }
  void expect_sum(const Recovery& recovery) {
    Words unmasked = sum;
    recovery.remove(unmasked, kBits);
    EXPECT_EQ(unmasked, Cohort::plain_sum(survivors, kSize));
  }

  Cohort cohort;
  Indices sharers, survivors;
  Words sum;
  std::map<std::uint32_t, std::vector<RevealedShare>> cache;
};

TEST(Recovery, MasksCancelForEveryDropOutOfSmallCohorts) {
  for (std::uint32_t n = 2; n <= 5; ++n)
    for (std::uint32_t u2 = 1; u2 < 1u << n; ++u2)
      for (std::uint32_t u3 = u2; u3 != 0; u3 = (u3 - 1) & u2) {  // every part of u2
        const std::uint32_t threshold = std::max(2 * n / 3 + 1, 2u);
        if (members(u3).size() < threshold) continue;
        SCOPED_TRACE(fmt::format("n {} sharers {:b} survivors {:b}", n, u2, u3));
        Round round(n, threshold, complete(n), members(u2), members(u3));
        Recovery recovery =
            Recovery::start(round.cohort.unmasking(round.sharers, round.survivors)).value();
        for (const std::uint32_t member : round.survivors)
          ASSERT_TRUE(recovery.take(member, round.revealed(member)));
        ASSERT_TRUE(recovery.rebuild());
        round.expect_sum(recovery);
        EXPECT_TRUE(recovery.liars().empty());
      }
}

TEST(Recovery, MasksCancelOnARing) {
  const Indices all = first_indices(14);
  for (const Indices& gone : {Indices{}, Indices{3}, Indices{3, 4}, Indices{0, 7, 13}}) {
    Round round(14, 4, ring(14, 3), without(all, {gone.empty() ? 99 : gone.front()}),
                without(all, gone));
    Recovery recovery =
        Recovery::start(round.cohort.unmasking(round.sharers, round.survivors)).value();
    for (const std::uint32_t member : round.survivors)
      ASSERT_TRUE(recovery.take(member, round.revealed(member)));
    ASSERT_TRUE(recovery.rebuild());
    round.expect_sum(recovery);
  }
}

TEST(Recovery, NeedsNoMoreThanTheThreshold) {
  Round round(6, 4, complete(6), first_indices(6), {0, 1, 2, 4, 5});
  Recovery recovery =
      Recovery::start(round.cohort.unmasking(round.sharers, round.survivors)).value();
  for (const std::uint32_t member : {5u, 0u, 2u}) {
    ASSERT_TRUE(recovery.take(member, round.revealed(member)));
    EXPECT_FALSE(recovery.enough());
    EXPECT_EQ(recovery.rebuild().error().code, Code::kUnavailable);
  }
  ASSERT_TRUE(recovery.take(4, round.revealed(4)));
  EXPECT_TRUE(recovery.enough());
  ASSERT_TRUE(recovery.rebuild());
  EXPECT_TRUE(recovery.take(1, round.revealed(1)));  // too late to matter
  round.expect_sum(recovery);
}

TEST(Recovery, RefusesSetsThatAreNoPartsOfOneAnother) {
  Cohort cohort(5, 3, complete(5));
  auto refused = [&](const Indices& sharers, const Indices& survivors) {
    return !Recovery::start(cohort.unmasking(sharers, survivors)).has_value();
  };
  EXPECT_FALSE(refused({0, 1, 2, 3, 4}, {0, 1, 4}));
  EXPECT_TRUE(refused({0, 1, 2, 3}, {0, 1, 4}));
  EXPECT_TRUE(refused({0, 1, 2, 3, 5}, {0, 1, 2}));
  EXPECT_TRUE(refused({0, 1, 1, 2}, {0, 1, 2}));
  EXPECT_TRUE(refused({0, 1, 2}, {0, 2, 1}));
  EXPECT_TRUE(refused({0, 1, 2}, {}));
  EXPECT_TRUE(refused({0, 1, 2}, {0, 1}));  // below the threshold
}

TEST(Recovery, TakesExactlyTheSharesThatWereAskedFor) {
  Round round(5, 3, complete(5), first_indices(5), {0, 1, 2, 3});
  Recovery recovery =
      Recovery::start(round.cohort.unmasking(round.sharers, round.survivors)).value();
  const auto good = round.revealed(1);
  auto with = [&](auto change) {
    auto shares = good;
    change(shares);
    return recovery.take(1, shares);
  };
  EXPECT_FALSE(with([](auto& s) { s.pop_back(); }));
  EXPECT_FALSE(with([](auto& s) { s.push_back(s.back()); }));
  EXPECT_FALSE(with([](auto& s) { s[0].of = 1; }));
  EXPECT_FALSE(with([](auto& s) { s[0].self_mask = !s[0].self_mask; }));
  EXPECT_FALSE(with([](auto& s) { s[0].value.fill(0xff); }));
  EXPECT_FALSE(recovery.take(4, good));  // did not survive
  EXPECT_FALSE(recovery.take(9, good));
  EXPECT_FALSE(recovery.heard(1));
  EXPECT_TRUE(recovery.take(1, good));
  EXPECT_TRUE(recovery.heard(1));
  EXPECT_TRUE(recovery.take(1, good));
}

TEST(Recovery, NamesWhoRevealsAWrongShareAndWorksAroundIt) {
  for (const bool boxes : {true, false})
    for (const std::uint32_t of : {0u, 2u, 5u}) {  // a survivor, the liar itself, one who dropped
      SCOPED_TRACE(fmt::format("share of {}, boxes {}", of, boxes));
      Round round(6, 4, complete(6), first_indices(6), {0, 1, 2, 3, 4});
      Recovery recovery =
          Recovery::start(round.cohort.unmasking(round.sharers, round.survivors, boxes)).value();
      for (const std::uint32_t member : round.survivors)
        ASSERT_TRUE(
            recovery.take(member, member == 2 ? round.wrong(member, of) : round.revealed(member)));
      ASSERT_TRUE(recovery.rebuild());
      EXPECT_EQ(recovery.liars(), Indices{2});
      round.expect_sum(recovery);
    }
}

TEST(Recovery, AsksForMoreWhenTheLiarIsAmongTheLeastThatAreNeeded) {
  Round round(6, 4, complete(6), first_indices(6), {0, 1, 2, 3, 4});
  Recovery recovery =
      Recovery::start(round.cohort.unmasking(round.sharers, round.survivors)).value();
  for (const std::uint32_t member : {0u, 1u, 2u, 3u})
    ASSERT_TRUE(recovery.take(member, member == 1 ? round.wrong(1, 5) : round.revealed(member)));
  EXPECT_EQ(recovery.rebuild().error().code, Code::kUnavailable);
  EXPECT_EQ(recovery.liars(), Indices{1});
  ASSERT_TRUE(recovery.take(4, round.revealed(4)));
  ASSERT_TRUE(recovery.rebuild());
  round.expect_sum(recovery);
}

TEST(Recovery, ManyLiarsAreNamedByTheBoxes) {
  Round round(24, 16, complete(24), first_indices(24), without(first_indices(24), {7}));
  Recovery recovery =
      Recovery::start(round.cohort.unmasking(round.sharers, round.survivors)).value();
  const Indices liars = {0, 3, 5, 11, 20, 22, 23};  // as many as can be worked around
  for (const std::uint32_t member : round.survivors)
    ASSERT_TRUE(recovery.take(member, std::ranges::count(liars, member) ? round.wrong(member, 7)
                                                                        : round.revealed(member)));
  ASSERT_TRUE(recovery.rebuild());
  EXPECT_EQ(recovery.liars(), liars);
  round.expect_sum(recovery);
}

// One that dealt `to` a box around other shares than its polynomials have.
struct WrongDealer : Round {
  WrongDealer(std::uint32_t from, const Indices& to, Indices survived)
      : Round(6, 4, complete(6), first_indices(6), std::move(survived), [&](Cohort& dealt) {
          std::array<std::uint8_t, 64> shares{};
          shares[0] = 7, shares[32] = 9;
          for (const std::uint32_t receiver : to)
            dealt.sent[{from, receiver}] = dealt.box_around(from, receiver, shares);
        }) {}
  Recovery recovery() {
    Recovery all = Recovery::start(cohort.unmasking(sharers, survivors)).value();
    for (const std::uint32_t member : survivors) EXPECT_TRUE(all.take(member, revealed(member)));
    return all;
  }
};

TEST(Recovery, NamesWhoDealtAWrongShareAndWorksAroundIt) {
  for (const std::uint32_t dealer : {1u, 5u}) {  // a survivor, one who dropped
    WrongDealer round(dealer, {2}, {0, 1, 2, 3, 4});
    Recovery recovery = round.recovery();
    ASSERT_TRUE(recovery.rebuild());
    EXPECT_EQ(recovery.liars(), Indices{dealer});
    round.expect_sum(recovery);
  }
}

TEST(Recovery, IsLostWhenTooManySharesWereDealtWrong) {
  WrongDealer round(5, {0, 2, 3}, {0, 1, 2, 3, 4});
  Recovery recovery = round.recovery();
  EXPECT_EQ(recovery.rebuild().error().code, Code::kRefused);
  EXPECT_EQ(recovery.liars(), Indices{5});
}

TEST(Recovery, NamesWhoCommittedToAnotherSeedThanItDealt) {
  Round round(5, 4, complete(5), first_indices(5), {0, 1, 2, 3});
  round.cohort.roster[1].commit[0] ^= 1;
  Recovery recovery =
      Recovery::start(round.cohort.unmasking(round.sharers, round.survivors)).value();
  for (const std::uint32_t member : round.survivors)
    ASSERT_TRUE(recovery.take(member, round.revealed(member)));
  EXPECT_EQ(recovery.rebuild().error().code, Code::kRefused);
  EXPECT_EQ(recovery.liars(), Indices{1});
}

TEST(RecoveryDeath, MasksAreRebuiltBeforeTheyAreTakenOff) {
  Cohort cohort(3, 2, complete(3));
  const Recovery recovery =
      Recovery::start(cohort.unmasking(first_indices(3), first_indices(3))).value();
  Words words(4);
  EXPECT_DEATH(recovery.remove(words, kBits), "before they were rebuilt");
}

}  // namespace
}  // namespace freshet::secagg
