#include <random>

#include "base/limits.h"
#include "base/rng.h"
#include "tests/edge_node/exchange_player.h"

namespace freshet::exchange {
namespace {

// ---- aborts

TEST(Exchange, SignsAnAbortOnceItWasInARosterAndNeverBesideSurvivors) {
  Player early;
  early.take(AbortAsked{"", Instant{1}});
  EXPECT_TRUE(is_over(early.x));
  EXPECT_EQ(early.effect<SignAbort>(), nullptr) << "it is in no roster";
  for (Player p : {shared(), masked()}) {
    p.take(AbortAsked{"too few", Instant{5}});
    EXPECT_NE(p.effect<SignAbort>(), nullptr);
    EXPECT_NE(p.effect<WipeKeys>(), nullptr);
    EXPECT_EQ(std::get<Over>(p.x.phase).choice, Choice::kAbort);
    p.take(AbortAsked{"too few", Instant{6}});
    EXPECT_NE(p.effect<SignAbort>(), nullptr) << "the same again";
    EXPECT_FALSE(p.take(SurvivorsNamed{first(7), Instant{7}}).accepted);
  }
  for (Player p : {agreed(), revealed()}) {
    EXPECT_FALSE(p.take(AbortAsked{"", Instant{9}}).accepted);
    p.take(RoundEnded{Instant{10}});
    EXPECT_FALSE(p.take(AbortAsked{"", Instant{11}}).accepted);
  }
}

TEST(Exchange, SignsAnAbortAfterItLeft) {
  Player p = masked();
  p.take(Failed{Ending::kFailed, Declined::kFailed, "the disk is full", Instant{5}});
  ASSERT_NE(p.effect<SendDecline>(), nullptr);
  p.take(AbortAsked{"", Instant{6}});
  EXPECT_NE(p.effect<SignAbort>(), nullptr);
}

TEST(Exchange, AfterARestartCanOnlyGiveUp) {
  Player p(Step{ended_by_restart(terms(), Choice::kNone, Instant{0}), {}, true});
  EXPECT_FALSE(p.take(RosterChecked{roster(), Instant{1}}).accepted);
  EXPECT_FALSE(p.take(SurvivorsNamed{first(7), Instant{1}}).accepted);
  EXPECT_FALSE(p.take(Tick{Instant{1'000'000}}).accepted);
  p.take(AbortAsked{"", Instant{2}});
  EXPECT_NE(p.effect<SignAbort>(), nullptr);
  Player signed_before(Step{ended_by_restart(terms(), Choice::kSurvivors, Instant{0}), {}, true});
  EXPECT_FALSE(signed_before.take(AbortAsked{"", Instant{2}}).accepted);
}

// ---- time

TEST(Exchange, SendsAgainWithBackOffAndLeavesWhenNothingComes) {
  Player p = shared();
  const Instant first_try{1 + limits::kRetryMs};
  EXPECT_FALSE(p.take(Tick{Instant{first_try.ms - 1}}).accepted);
  p.take(Tick{first_try});
  EXPECT_NE(p.effect<SendShares>(), nullptr);
  EXPECT_EQ(p.x.retry_at, first_try + limits::kRetryMs);
  p.take(Tick{p.x.retry_at});
  EXPECT_EQ(p.x.retry_at.ms, first_try.ms + 3 * limits::kRetryMs);
  EXPECT_NE(Player(p).take(Reconnected{Instant{7'000}}).effect<SendShares>(), nullptr);
  p.take(Tick{Instant{1 + 120'000}});
  ASSERT_TRUE(is_over(p.x));
  EXPECT_EQ(std::get<Over>(p.x.phase).ending, Ending::kExpired);
  EXPECT_NE(p.effect<WipeKeys>(), nullptr);
}

TEST(Exchange, SendsWhatItsPhaseSent) {
  const Instant now{4 + limits::kRetryMs};
  EXPECT_NE(Player().take(Tick{now}).effect<SendAdvert>(), nullptr);
  Player half = masked();
  half.take(ChunkAcked{bytes(9), 60, Instant{4}}).take(Tick{now});
  ASSERT_NE(half.effect<SendFrame>(), nullptr);
  EXPECT_EQ(half.effect<SendFrame>()->offset, 60u);
  Player whole = masked();
  whole.take(ChunkAcked{bytes(9), 100, Instant{4}}).take(Tick{now});
  EXPECT_EQ(whole.effect<SendFrame>(), nullptr);
  const Instant later{9 + limits::kRetryMs};
  EXPECT_NE(agreed().take(Tick{later}).effect<SignSurvivors>(), nullptr);
  Player p = revealed();
  p.take(Tick{later});
  ASSERT_NE(p.effect<Reveal>(), nullptr);
  EXPECT_EQ(p.effect<Reveal>()->survivors, first(7));
}

// A coordinator that answers with one offset after another must not keep the round's keys alive.
TEST(Exchange, OnlyMoreThanEverArrivedIsProgress) {
  const auto lives_until = [](auto offset_at) {
    Player p = masked();
    Instant now{4};
    for (std::uint64_t i = 0; !is_over(p.x) && i < 10'000; ++i, now = now + 1'000)
      p.take(ChunkAcked{bytes(9), offset_at(i), now}).take(Tick{now});
    EXPECT_EQ(std::get<Over>(p.x.phase).ending, Ending::kExpired);
    EXPECT_NE(p.effect<WipeKeys>(), nullptr);
    return now.ms;
  };
  const std::int64_t patience = terms().patience_ms;
  EXPECT_LE(lives_until([](auto i) { return std::uint64_t{i % 2 == 0 ? 60u : 40u}; }),
            patience + 2'000);
  EXPECT_LE(lives_until([](auto i) { return std::min<std::uint64_t>(i, 99); }), patience + 2'000);
  EXPECT_LE(lives_until([](auto i) { return std::uint64_t{i == 0 ? 100u : 1u}; }),
            patience + 2'000);
}

// A coordinator that started again and lost what had arrived gets it once more.
TEST(Exchange, SendsAgainFromWhereTheCoordinatorIs) {
  Player p = masked();
  p.take(ChunkAcked{bytes(9), 100, Instant{4}});
  p.take(ChunkAcked{bytes(9), 0, Instant{5}});
  ASSERT_NE(p.effect<SendFrame>(), nullptr);
  EXPECT_EQ(p.effect<SendFrame>()->offset, 0u);
}

TEST(Exchange, LastsNoLongerThanAllItsPhasesMay) {
  Terms short_lived = terms();
  short_lived.lifetime_ms = 1'000;
  Player p(begin(short_lived, Instant{0}));
  p.take(RosterChecked{roster(), Instant{900}}).take(Tick{Instant{999}});
  EXPECT_FALSE(is_over(p.x));
  p.take(Tick{Instant{1'000}});
  ASSERT_TRUE(is_over(p.x));
  EXPECT_EQ(std::get<Over>(p.x.phase).ending, Ending::kExpired);
}

TEST(Exchange, QuorumsAreSafeWhereTwoCannotBothBeFound) {
  struct Row {
    std::uint32_t members, corrupt, least;
  };
  // SECURITY: t > (n + n_C) / 2
  const Row kRows[] = {{10, 1, 6},    {20, 2, 12},   {50, 5, 28},
                       {100, 10, 56}, {100, 33, 67}, {128, 12, 71}};
  for (const Row& row : kRows) {
    const Fraction share{row.corrupt, row.members};
    EXPECT_EQ(corrupt_among(row.members, share), row.corrupt);
    EXPECT_TRUE(quorum_is_safe(row.least, row.members, share)) << row.members;
    EXPECT_FALSE(quorum_is_safe(row.least - 1, row.members, share)) << row.members;
  }
}

// ---- any events in any order

Members any_members(Rng& rng) {
  Members list;
  for (std::uint32_t i = 0; i < kMembers + 1; ++i)
    if (rng.below(8) != 0 && (i < kMembers || rng.below(20) == 0)) list.push_back(i);
  return list;
}

Event any_event(Rng& rng, Instant now) {
  switch (rng.below(14)) {
    case 0: {
      Roster any = roster();
      if (rng.below(8) == 0) any.digest = bytes(3);
      return RosterChecked{any, now};
    }
    case 1: {
      Forwarded event = forwarded(any_members(rng));
      if (rng.below(10) == 0 && !event.boxes.empty()) event.boxes[0].good = false;
      return event;
    }
    case 2: return BaseSpent{now};
    case 3: return FrameMade{{bytes(9), 100}, now};
    case 4: return ChunkAcked{bytes(9), rng.below(110), now};
    case 5:
    case 6: return SurvivorsNamed{any_members(rng), now};
    case 7:
    case 8: return signatures_of(any_members(rng));
    case 9: return rng.below(4) == 0 ? Event(AbortAsked{"", now}) : Event(Tick{now});
    case 10: return rng.below(8) == 0 ? Event(RoundEnded{now}) : Event(Reconnected{now});
    case 11:
      if (rng.below(8) == 0) return Failed{Ending::kFailed, Declined::kFailed, "", now};
      [[fallthrough]];
    default: return Tick{now};
  }
}

// What the phase waits for, mostly; anything else now and then.
Event likely_event(Rng& rng, const Phase& phase, Instant now) {
  if (rng.below(3) == 0) return any_event(rng, now);
  if (std::holds_alternative<Advertised>(phase)) return RosterChecked{roster(), now};
  if (std::holds_alternative<Shared>(phase)) return forwarded(first(kMembers));
  if (const auto* masked = std::get_if<Masked>(&phase)) {
    if (!masked->spent) return BaseSpent{now};
    if (!masked->frame) return FrameMade{{bytes(9), 100}, now};
    return SurvivorsNamed{any_members(rng), now};
  }
  if (const auto* agreed = std::get_if<Agreed>(&phase)) return signatures_of(agreed->survivors);
  return any_event(rng, now);
}

// What an honest node does for one sid, whatever comes: I2, I3, I4 of what leaves it.
TEST(Exchange, KeepsItsPromisesUnderAnyEvents) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  int reached = 0;
  for (std::uint64_t run = 0; run < 3'000; ++run) {
    Rng rng(seed, run);
    Player p;
    std::optional<Members> signed_list;
    bool aborted = false, wiped = false, spent = false;
    int frames = 0;
    for (int i = 0; i < 60; ++i) {
      const Event event = likely_event(rng, p.x.phase, Instant{i * 1'000});
      if (std::holds_alternative<BaseSpent>(event) && p.is<Masked>()) spent = true;
      p.take(event);
      if (const auto* made = p.effect<MakeFrame>()) {
        ++frames;
        ASSERT_TRUE(spent && !wiped && made->sharers.size() >= kQuorum);
      }
      if (const auto* sign = p.effect<SignSurvivors>()) {
        ASSERT_TRUE(!signed_list || *signed_list == sign->survivors);
        ASSERT_TRUE(!aborted && !wiped && frames == 1);
        ASSERT_GE(sign->survivors.size(), kQuorum);
        signed_list = sign->survivors;
      }
      if (p.effect<SignAbort>()) {
        ASSERT_FALSE(signed_list);
        aborted = true;
      }
      if (const auto* reveal = p.effect<Reveal>()) {
        ASSERT_TRUE(signed_list && *signed_list == reveal->survivors);
        ++reached;
      }
      if (p.effect<WipeKeys>()) wiped = true;
      ASSERT_LE(frames, 1);
      ASSERT_TRUE(!is_over(p.x) || wiped);
    }
  }
  EXPECT_GT(reached, 100) << "the events hardly ever go the whole way";
}

}  // namespace
}  // namespace freshet::exchange
