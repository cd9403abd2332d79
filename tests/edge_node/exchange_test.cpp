#include "edge_node/exchange.h"

#include <gtest/gtest.h>

#include <numeric>
#include <random>

#include "base/limits.h"
#include "base/rng.h"

namespace freshet::exchange {
namespace {

constexpr std::uint32_t kMembers = 8, kQuorum = 6;  // floor(2 * 8 / 3) + 1; two may be corrupt
constexpr std::uint32_t kOwn = 3;

Members first(std::uint32_t count) {
  Members list(count);
  std::iota(list.begin(), list.end(), 0u);
  return list;
}
Members without(Members list, std::uint32_t member) {
  std::erase(list, member);
  return list;
}
Digest bytes(std::uint8_t name) {
  Digest digest{};
  digest[0] = name;
  return digest;
}
Terms terms() { return {bytes(1), CampaignId{5}, RoundId{2}, VersionId{7}, Rules{}, 120'000}; }
Roster roster() {
  return {bytes(2), kMembers, kOwn, kQuorum, kQuorum, without(first(kMembers), kOwn)};
}
Forwarded forwarded(const Members& sharers) {
  Forwarded event{sharers, {}, Instant{2}};
  for (const std::uint32_t from : without(sharers, kOwn)) event.boxes.push_back({from, true});
  return event;
}
QuorumArrived signatures_of(const Members& members) {
  QuorumArrived event{{}, Instant{9}};
  for (const std::uint32_t from : members) event.votes.push_back({from, true});
  return event;
}

// An exchange and the effects of its last event.
struct Player {
  Exchange x;
  std::vector<Effect> effects;
  bool accepted = true;

  explicit Player(Step begun) : x(std::move(begun.next)), effects(std::move(begun.effects)) {}
  Player() : Player(begin(terms(), Instant{0})) {}

  Player& take(const Event& event) {
    const Exchange before = x;
    Step stepped = step(x, event);
    if (!stepped.accepted) {
      EXPECT_TRUE(stepped.next == before);
      EXPECT_TRUE(stepped.effects.empty());
    }
    x = std::move(stepped.next);
    effects = std::move(stepped.effects);
    accepted = stepped.accepted;
    return *this;
  }
  template <class T>
  const T* effect() const {
    for (const Effect& e : effects)
      if (const auto* match = std::get_if<T>(&e)) return match;
    return nullptr;
  }
  template <class T>
  bool is() const {
    return std::holds_alternative<T>(x.phase);
  }
  // Over for this reason, with keys wiped and nothing else said than that.
  void expect_refused(std::string_view why, Declined declined) const {
    const auto* over = std::get_if<Over>(&x.phase);
    ASSERT_NE(over, nullptr) << name_of(x.phase);
    EXPECT_EQ(over->ending, Ending::kRefused);
    EXPECT_NE(over->why.find(why), std::string::npos) << over->why;
    ASSERT_EQ(effects.size(), 2u);
    ASSERT_NE(effect<SendDecline>(), nullptr);
    EXPECT_EQ(effect<SendDecline>()->why, declined);
    EXPECT_NE(effect<WipeKeys>(), nullptr);
  }
};

Player shared() { return Player().take(RosterChecked{roster(), Instant{1}}); }
Player masked(const Members& sharers = first(kMembers)) {
  Player p = shared();
  p.take(forwarded(sharers)).take(BaseSpent{Instant{3}});
  return p.take(FrameMade{{bytes(9), 100}, Instant{4}});
}
Player agreed(const Members& survivors = first(7)) {
  return masked().take(SurvivorsNamed{survivors, Instant{8}});
}
Player revealed() { return agreed().take(signatures_of(first(7))); }

TEST(Exchange, GoesTheWholeWay) {
  Player p;
  EXPECT_NE(p.effect<SendAdvert>(), nullptr);
  p.take(RosterChecked{roster(), Instant{1}});
  EXPECT_NE(p.effect<SendShares>(), nullptr);
  const Members sharers = without(first(kMembers), 7);
  p.take(forwarded(sharers));
  EXPECT_NE(p.effect<SpendBase>(), nullptr);
  EXPECT_EQ(p.effect<MakeFrame>(), nullptr) << "nothing is masked before the base is spent";
  p.take(BaseSpent{Instant{3}});
  ASSERT_NE(p.effect<MakeFrame>(), nullptr);
  EXPECT_EQ(p.effect<MakeFrame>()->sharers, sharers);
  p.take(FrameMade{{bytes(9), 100}, Instant{4}});
  ASSERT_NE(p.effect<SendFrame>(), nullptr);
  EXPECT_EQ(p.effect<SendFrame>()->offset, 0u);
  p.take(ChunkAcked{bytes(9), 60, Instant{5}});
  ASSERT_NE(p.effect<SendFrame>(), nullptr);
  EXPECT_EQ(p.effect<SendFrame>()->offset, 60u);
  p.take(ChunkAcked{bytes(9), 100, Instant{6}});
  EXPECT_EQ(p.effect<SendFrame>(), nullptr);
  const Members survivors = without(sharers, 0);
  p.take(SurvivorsNamed{survivors, Instant{7}});
  ASSERT_NE(p.effect<SignSurvivors>(), nullptr);
  EXPECT_EQ(p.effect<SignSurvivors>()->survivors, survivors);
  EXPECT_EQ(p.effect<Reveal>(), nullptr) << "nothing is revealed before the quorum signed";
  p.take(signatures_of(survivors));
  ASSERT_NE(p.effect<Reveal>(), nullptr);
  EXPECT_EQ(p.effect<Reveal>()->sharers, sharers);
  EXPECT_NE(p.effect<WipeKeys>(), nullptr);
  p.take(RoundEnded{Instant{10}});
  ASSERT_TRUE(is_over(p.x));
  EXPECT_EQ(std::get<Over>(p.x.phase).ending, Ending::kFinished);
  EXPECT_EQ(std::get<Over>(p.x.phase).choice, Choice::kSurvivors);
}

// ---- the roster

TEST(Exchange, RefusesARosterBelowItsOwnPolicy) {
  struct Row {
    std::uint32_t members, quorum, honest_min;
    std::string_view why;  // empty: accepted
  };
  const Row kRows[] = {
      {8, 6, 4, ""},
      {6, 5, 4, ""},  // two may be corrupt, four are honest
      {5, 4, 4, ""},  // one may be
      {4, 3, 4, "4 honest"},
      {6, 5, 5, "5 honest"},
      {8, 5, 4, "two endings"},  // 2 * 5 is not above 8 + 2
      {8, 2, 4, "two endings"},
      {1, 1, 1, "does not fit"},
      {2, 2, 4, "4 honest"},
      {8, 9, 4, "does not fit"},
  };
  for (const Row& row : kRows) {
    Terms own = terms();
    own.rules.honest_min = row.honest_min;
    Player p(begin(own, Instant{0}));
    p.take(RosterChecked{
        {bytes(2), row.members, 0, row.quorum, row.quorum, without(first(row.members), 0)},
        Instant{1}});
    SCOPED_TRACE(testing::Message() << row.members << " " << row.quorum << " " << row.honest_min);
    if (row.why.empty())
      EXPECT_TRUE(p.is<Shared>());
    else
      p.expect_refused(row.why, Declined::kRoster);
  }
}

TEST(Exchange, RefusesARosterThatDoesNotFitTogether) {
  Roster outside = roster(), doubled = roster(), selfish = roster(), cheap = roster(),
         stranger = roster();
  outside.own = kMembers;
  doubled.neighbours[1] = doubled.neighbours[0];
  selfish.neighbours = first(kMembers);
  cheap.shares = 1;
  stranger.neighbours.back() = kMembers;
  for (const Roster& wrong : {outside, doubled, selfish, cheap, stranger})
    Player()
        .take(RosterChecked{wrong, Instant{1}})
        .expect_refused("does not fit", Declined::kRoster);
  Roster easy = roster();
  easy.shares = 2;  // two corrupt members would do
  Player().take(RosterChecked{easy, Instant{1}}).expect_refused("would rebuild", Declined::kRoster);
}

TEST(Exchange, RefusesASecondRoster) {
  Roster other = roster();
  other.digest = bytes(77);
  shared()
      .take(RosterChecked{other, Instant{2}})
      .expect_refused("second roster", Declined::kRoster);
  masked()
      .take(RosterChecked{other, Instant{5}})
      .expect_refused("second roster", Declined::kRoster);
  EXPECT_FALSE(masked().take(RosterChecked{roster(), Instant{5}}).accepted) << "the same one again";
}

// ---- the sharers

TEST(Exchange, RefusesSharersThatAreNotOfTheRosterOrTooFew) {
  shared()
      .take(forwarded(without(first(kMembers), kOwn)))
      .expect_refused("this node's shares", Declined::kRoster);
  Members strange = first(kMembers);
  strange.push_back(kMembers);
  shared().take(forwarded(strange)).expect_refused("no part of the roster", Declined::kRoster);
  Members doubled = first(kMembers);
  doubled[1] = 0;
  shared().take(forwarded(doubled)).expect_refused("no part of the roster", Declined::kRoster);
  shared().take(forwarded(first(5))).expect_refused("fewer than the 6", Declined::kRoster);
  EXPECT_TRUE(shared().take(forwarded(first(6))).is<Masked>());
}

TEST(Exchange, RefusesBoxesLeftOutOrAdded) {
  Forwarded missing = forwarded(first(kMembers)), added = forwarded(first(7)),
            twice = forwarded(first(kMembers));
  missing.boxes.pop_back();
  added.boxes.push_back({7, true});
  twice.boxes.push_back(twice.boxes.back());
  for (const Forwarded& wrong : {missing, added, twice})
    shared().take(wrong).expect_refused("left out or added", Declined::kRoster);
}

TEST(Exchange, ComplainsOfABoxThatDoesNotOpenAndMasksNothing) {
  Forwarded event = forwarded(first(kMembers));
  event.boxes[4].good = false;
  Player p = shared();
  p.take(event);
  ASSERT_NE(p.effect<SendComplaint>(), nullptr);
  EXPECT_EQ(p.effect<SendComplaint>()->from, event.boxes[4].from);
  EXPECT_NE(p.effect<WipeKeys>(), nullptr);
  EXPECT_TRUE(is_over(p.x));
  EXPECT_FALSE(p.take(forwarded(first(kMembers))).accepted);
}

TEST(Exchange, RefusesOtherSharersLater) {
  Player p = masked();
  EXPECT_FALSE(p.take(forwarded(first(kMembers))).accepted);
  p.take(forwarded(first(7))).expect_refused("other sharers", Declined::kRoster);
  agreed().take(forwarded(first(7))).expect_refused("other sharers", Declined::kRoster);
}

TEST(Exchange, NeedsEnoughNeighboursOnASparseGraph) {
  Roster sparse{bytes(2), 40, 10, 27, 4, {8, 9, 11, 12, 30, 31}};
  Player p;
  p.take(RosterChecked{sparse, Instant{1}});
  ASSERT_TRUE(p.is<Shared>());
  Members sharers = first(40);
  for (const std::uint32_t gone : {8u, 9u, 11u}) sharers = without(sharers, gone);
  Forwarded event{sharers, {{12, true}, {30, true}, {31, true}}, Instant{2}};
  EXPECT_TRUE(Player(p).take(event).is<Masked>());
  event.sharers = without(sharers, 31);
  event.boxes.pop_back();
  p.take(event).expect_refused("neighbours", Declined::kRoster);
}

// ---- the vector leaves

TEST(Exchange, MasksOnceAndOnlyOnASpentBase) {
  Player p = shared();
  p.take(forwarded(first(kMembers)));
  EXPECT_FALSE(p.take(FrameMade{{bytes(9), 100}, Instant{3}}).accepted);
  p.take(BaseSpent{Instant{3}});
  EXPECT_NE(p.effect<MakeFrame>(), nullptr);
  EXPECT_FALSE(p.take(BaseSpent{Instant{3}}).accepted);
  p.take(FrameMade{{bytes(9), 100}, Instant{4}});
  EXPECT_FALSE(p.take(FrameMade{{bytes(10), 100}, Instant{4}}).accepted);
  EXPECT_EQ(std::get<Masked>(p.x.phase).frame->blob, bytes(9));
}

TEST(Exchange, IgnoresAcksOfOtherBytes) {
  Player p = masked();
  EXPECT_FALSE(p.take(ChunkAcked{bytes(10), 60, Instant{5}}).accepted);
  EXPECT_FALSE(p.take(ChunkAcked{bytes(9), 101, Instant{5}}).accepted);
}

// ---- the survivors

TEST(Exchange, RefusesSurvivorsThatAreNotOfTheSharersOrTooFew) {
  masked(first(7))
      .take(SurvivorsNamed{first(kMembers), Instant{8}})
      .expect_refused("no part of the list of sharers", Declined::kSurvivors);
  masked()
      .take(SurvivorsNamed{first(5), Instant{8}})
      .expect_refused("fewer than the 6", Declined::kSurvivors);
  Members unsorted = first(7);
  std::swap(unsorted[0], unsorted[1]);
  masked()
      .take(SurvivorsNamed{unsorted, Instant{8}})
      .expect_refused("no part", Declined::kSurvivors);
  Terms strict = terms();
  strict.rules.honest_min = 5;
  Player p(begin(strict, Instant{0}));
  p.take(RosterChecked{roster(), Instant{1}}).take(forwarded(first(kMembers)));
  p.take(BaseSpent{Instant{3}}).take(FrameMade{{bytes(9), 100}, Instant{4}});
  p.take(SurvivorsNamed{first(6), Instant{8}}).expect_refused("5 honest", Declined::kSurvivors);
}

TEST(Exchange, LeavesARoundThatGoesOnWithoutIt) {
  Player p = masked();
  p.take(SurvivorsNamed{without(first(kMembers), kOwn), Instant{8}});
  ASSERT_TRUE(is_over(p.x));
  EXPECT_EQ(std::get<Over>(p.x.phase).ending, Ending::kDropped);
  EXPECT_EQ(p.effect<SignSurvivors>(), nullptr);
  EXPECT_NE(p.effect<WipeKeys>(), nullptr);
}

TEST(Exchange, RefusesSurvivorsNamedBeforeItsVectorLeft) {
  Player p = shared();
  p.take(forwarded(first(kMembers)));
  p.take(SurvivorsNamed{first(7), Instant{3}})
      .expect_refused("before this node's vector", Declined::kSurvivors);
  EXPECT_FALSE(shared().take(SurvivorsNamed{first(7), Instant{3}}).accepted);
}

TEST(Exchange, SignsOneListOfSurvivors) {
  agreed()
      .take(SurvivorsNamed{first(6), Instant{9}})
      .expect_refused("second list", Declined::kSurvivors);
  EXPECT_FALSE(agreed().take(SurvivorsNamed{first(7), Instant{9}}).accepted);
  Player p = revealed();
  p.take(SurvivorsNamed{first(6), Instant{9}}).expect_refused("second list", Declined::kSurvivors);
  EXPECT_EQ(std::get<Over>(p.x.phase).choice, Choice::kSurvivors);
}

// ---- the quorum

TEST(Exchange, RefusesAQuorumThatIsNone) {
  agreed().take(signatures_of(first(5))).expect_refused("5 signatures", Declined::kQuorum);
  QuorumArrived wrong = signatures_of(first(7)), twice = signatures_of(first(6)),
                strange = signatures_of(first(6));
  wrong.votes[2].good = false;
  twice.votes.push_back({2, true});
  strange.votes.push_back({7, true});  // shared, and is no survivor
  agreed().take(wrong).expect_refused("member 2 does not fit", Declined::kQuorum);
  agreed().take(twice).expect_refused("counts twice", Declined::kQuorum);
  agreed().take(strange).expect_refused("member 7 signed and is no survivor", Declined::kQuorum);
  EXPECT_TRUE(agreed().take(signatures_of(first(6))).is<Revealed>());
}

TEST(Exchange, RevealsNothingWithoutItsOwnSignature) {
  Player p = masked();
  EXPECT_FALSE(p.take(signatures_of(first(7))).accepted);
  EXPECT_TRUE(p.is<Masked>());
}

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
