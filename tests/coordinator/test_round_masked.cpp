#include <gtest/gtest.h>

#include "base/rng.h"
#include "coordinator/round.h"
#include "protocol/descriptor.h"

namespace freshet::round {
namespace {

Digest blob(std::uint64_t name) {
  Digest digest{};
  digest[0] = static_cast<std::uint8_t>(name);
  return digest;
}

// Seven nodes, of whom two may be corrupt: five must stay, and three of those are honest.
constexpr std::uint64_t kNodes = 7, kNeeded = 5;

Round of_seven() {
  RoundPlan plan{RoundId{1}, VersionId{0}, 1, MaskedPlan{}};
  plan.masked->rules.honest_min = 3;
  std::vector<NodeId> nodes;
  for (std::uint64_t node = 1; node <= kNodes; ++node) nodes.push_back({node});
  return begin(std::move(plan), Instant{100}, nodes);
}

std::vector<Effect> effects_of(Round& round, const Event& event) {
  const Round before = round;
  Step stepped = step(round, event);
  EXPECT_EQ(stepped.accepted, stepped.next != before);
  EXPECT_TRUE(!stepped.progress || stepped.accepted);
  round = std::move(stepped.next);
  return stepped.effects;
}

std::vector<Effect> say(Round& round, std::uint64_t node, Document kind, bool enough = false) {
  return effects_of(round, Said{{node}, kind, blob(node), enough});
}

// Every node from 1 to `last` does what the phase asks.
void all_say(Round& round, Document kind, std::uint64_t last = kNodes) {
  for (std::uint64_t node = 1; node <= last; ++node) say(round, node, kind);
}
void all_upload(Round& round, std::uint64_t last = kNodes) {
  for (std::uint64_t node = 1; node <= last; ++node)
    effects_of(round, Uploaded{{node}, blob(node)});
}

template <class T>
bool in(const Round& round) {
  return std::holds_alternative<T>(round.phase);
}

Base base_of(const Round& round) { return std::get<Aborted>(round.phase).base; }

std::vector<std::uint64_t> told(const std::vector<Effect>& effects) {
  std::vector<std::uint64_t> nodes;
  for (const Effect& effect : effects)
    if (const auto* tell = std::get_if<Tell>(&effect)) nodes.push_back(tell->node.value);
  return nodes;
}

const Refuse* refusal(const std::vector<Effect>& effects) {
  return effects.size() == 1 ? std::get_if<Refuse>(&effects[0]) : nullptr;
}

// A round that has come to the given phase with everybody in it.
Round in_phase(std::size_t steps) {
  Round round = of_seven();
  if (steps > 0) all_say(round, Document::kAdvert);
  if (steps > 1) all_say(round, Document::kShares);
  if (steps > 2) all_upload(round);
  if (steps > 3) all_say(round, Document::kAgreement, kNeeded);
  return round;
}

TEST(MaskedRound, GoesThroughItsPhasesWithEverybody) {
  Round round = of_seven();
  EXPECT_TRUE(in<Advertising>(round));
  all_say(round, Document::kAdvert);
  EXPECT_TRUE(in<Sharing>(round));
  all_say(round, Document::kShares);
  EXPECT_TRUE(in<Collecting>(round));
  all_upload(round);
  EXPECT_TRUE(in<Agreeing>(round));
  all_say(round, Document::kAgreement, kNeeded - 1);
  EXPECT_TRUE(in<Agreeing>(round));
  EXPECT_EQ(told(say(round, kNeeded, Document::kAgreement)).size(), kNodes);
  EXPECT_TRUE(in<Unmasking>(round));
  say(round, 1, Document::kReveal);
  EXPECT_TRUE(in<Unmasking>(round));
  say(round, 2, Document::kReveal, true);
  EXPECT_TRUE(in<Finished>(round));
  EXPECT_EQ(survivors(round).size(), kNodes);
}

// Whoever leaves in a phase is missing from the next one's list and from no earlier one.
TEST(MaskedRound, TakesTwoDropOutsInEveryPhaseAndNoMore) {
  for (std::size_t phase = 0; phase < 3; ++phase) {
    for (std::uint64_t lost = 1; lost <= 3; ++lost) {
      SCOPED_TRACE(testing::Message() << "phase " << phase << ", " << lost << " lost");
      Round round = in_phase(phase);
      const std::uint64_t last = kNodes - lost;
      if (phase == 0) all_say(round, Document::kAdvert, last);
      if (phase == 1) all_say(round, Document::kShares, last);
      if (phase == 2) all_upload(round, last);
      effects_of(round, DeadlinePassed{});
      const bool goes_on = phase == 0 ? last >= 4 : last >= kNeeded;
      if (goes_on) {
        EXPECT_FALSE(is_over(round) || in<Aborting>(round));
        const Places list = phase == 0   ? Places(roster(round).size())
                            : phase == 1 ? sharers(round)
                                         : survivor_places(round);
        EXPECT_EQ(list.size(), last);
        EXPECT_EQ(roster(round).size(), phase == 0 ? last : kNodes);
      } else {
        EXPECT_TRUE(phase == 2 ? in<Aborting>(round) : base_of(round) == Base::kFree);
      }
    }
  }
}

TEST(MaskedRound, ClosesAPhaseAsSoonAsNobodyIsWaitedFor) {
  Round round = in_phase(1);
  all_say(round, Document::kShares, 5);
  effects_of(round, Vanished{{6}});
  EXPECT_TRUE(in<Sharing>(round));
  effects_of(round, Vanished{{7}});
  EXPECT_TRUE(in<Collecting>(round));
  EXPECT_EQ(sharers(round), (Places{0, 1, 2, 3, 4}));
}

TEST(MaskedRound, LeavesOutOfTheRosterWhoLeftBeforeItIsClosed) {
  Round round = of_seven();
  say(round, 3, Document::kAdvert);
  effects_of(round, Vanished{{3}});
  for (std::uint64_t node : {1, 2, 4, 5, 6, 7}) say(round, node, Document::kAdvert);
  EXPECT_TRUE(in<Sharing>(round));
  EXPECT_EQ(roster(round).size(), 6u);
  EXPECT_FALSE(place_of(round, {3}));
  EXPECT_EQ(place_of(round, {4}), 2u);
}

TEST(MaskedRound, AnswersARepeatedMessageAndRefusesASecondOne) {
  Round round = in_phase(1);
  say(round, 1, Document::kShares);
  EXPECT_EQ(told(say(round, 1, Document::kShares)), std::vector<std::uint64_t>{1});
  const std::vector<Effect> effects =
      effects_of(round, Said{{1}, Document::kShares, blob(99), false});
  ASSERT_NE(refusal(effects), nullptr);
  EXPECT_TRUE(refusal(effects)->offence);
  const std::vector<Effect> late = effects_of(round, Said{{1}, Document::kAdvert, blob(98), false});
  EXPECT_TRUE(refusal(late) != nullptr && refusal(late)->offence);
}

TEST(MaskedRound, RefusesWhatComesTooLateOrTooEarly) {
  Round round = in_phase(1);
  for (const Document kind : {Document::kAgreement, Document::kReveal, Document::kAbort}) {
    const std::vector<Effect> effects = say(round, 1, kind);
    ASSERT_NE(refusal(effects), nullptr);
    EXPECT_EQ(refusal(effects)->code, Code::kExpired);
    EXPECT_FALSE(refusal(effects)->offence);
  }
  const std::vector<Effect> early = effects_of(round, Uploaded{{1}, blob(1)});
  EXPECT_TRUE(refusal(early) != nullptr && refusal(early)->code == Code::kExpired);
  all_say(round, Document::kShares, 6);
  effects_of(round, DeadlinePassed{});
  const std::vector<Effect> late = say(round, 7, Document::kShares);
  EXPECT_TRUE(refusal(late) != nullptr && refusal(late)->code == Code::kExpired);
  const std::vector<Effect> not_dealt = effects_of(round, Uploaded{{7}, blob(7)});
  EXPECT_TRUE(refusal(not_dealt) != nullptr && refusal(not_dealt)->code == Code::kExpired);
  const std::vector<Effect> stranger = say(round, 8, Document::kShares);
  EXPECT_TRUE(refusal(stranger) != nullptr && refusal(stranger)->offence);
}

TEST(MaskedRound, IsGivenUpByAQuorumOfItsRoster) {
  Round round = in_phase(2);
  all_upload(round, 3);
  EXPECT_EQ(told(effects_of(round, DeadlinePassed{})).size(), kNodes);
  ASSERT_TRUE(in<Aborting>(round));
  all_say(round, Document::kAbort, kNeeded - 1);
  EXPECT_TRUE(in<Aborting>(round));
  say(round, 7, Document::kAbort);
  ASSERT_TRUE(in<Aborted>(round));
  EXPECT_EQ(base_of(round), Base::kGivenUp);
}

TEST(MaskedRound, SpendsTheBaseWhenTooFewSignThatItIsGivenUp) {
  Round round = in_phase(2);
  effects_of(round, DeadlinePassed{});
  all_say(round, Document::kAbort, kNeeded - 1);
  effects_of(round, DeadlinePassed{});
  ASSERT_TRUE(in<Aborted>(round));
  EXPECT_EQ(base_of(round), Base::kSpent);
}

// Three of seven signed survivors: at most four can sign the abort, and it takes five.
TEST(MaskedRound, SpendsTheBaseAtOnceWhenTooManySignedSurvivors) {
  Round round = in_phase(3);
  all_say(round, Document::kAgreement, 2);
  effects_of(round, DeadlinePassed{});
  ASSERT_TRUE(in<Aborting>(round));
  const std::vector<Effect> both = effects_of(round, Said{{1}, Document::kAbort, blob(9), false});
  ASSERT_NE(refusal(both), nullptr);
  EXPECT_TRUE(refusal(both)->offence);
  say(round, 3, Document::kAgreement);  // was on its way
  ASSERT_TRUE(in<Aborted>(round));
  EXPECT_EQ(base_of(round), Base::kSpent);
}

TEST(MaskedRound, EndsAgreeingWhenTheQuorumCannotComeTogether) {
  Round round = in_phase(3);
  all_say(round, Document::kAgreement, 4);
  effects_of(round, Vanished{{5}});
  effects_of(round, Vanished{{6}});
  EXPECT_TRUE(in<Agreeing>(round));
  effects_of(round, Vanished{{7}});
  EXPECT_TRUE(in<Aborting>(round) || in<Aborted>(round));
}

TEST(MaskedRound, TellsASurvivorWhoSignsLateWhatFollows) {
  Round round = in_phase(4);
  ASSERT_TRUE(in<Unmasking>(round));
  EXPECT_EQ(told(say(round, 7, Document::kAgreement)), std::vector<std::uint64_t>{7});
  EXPECT_FALSE(find(round, {7})->document(Document::kAgreement));
}

TEST(MaskedRound, AsksToGiveUpWhenAMemberLied) {
  Round round = in_phase(2);
  effects_of(round, Uploaded{{1}, blob(1)});
  const std::vector<Effect> effects = effects_of(round, Complained{{2}, {6}});
  ASSERT_FALSE(effects.empty());
  EXPECT_EQ(std::get<Evict>(effects[0]).node, NodeId{6});
  EXPECT_TRUE(in<Aborting>(round));
}

TEST(MaskedRound, GoesOnWithoutAMemberWhoComplainedFalsely) {
  Round round = in_phase(2);
  const std::vector<Effect> effects = effects_of(round, Complained{{2}, {2}});
  ASSERT_EQ(effects.size(), 1u);
  EXPECT_EQ(std::get<Evict>(effects[0]).node, NodeId{2});
  for (std::uint64_t node : {1, 3, 4, 5, 6, 7}) effects_of(round, Uploaded{{node}, blob(node)});
  EXPECT_TRUE(in<Agreeing>(round));
  EXPECT_EQ(survivor_places(round), (Places{0, 2, 3, 4, 5, 6}));
}

TEST(MaskedRound, IsDroppedByARestartOnlyBeforeSharesAreOut) {
  for (std::size_t phase = 0; phase < 5; ++phase) {
    Round round = in_phase(phase);
    const Round before = round;
    effects_of(round, Restarted{});
    if (phase < 2) {
      EXPECT_EQ(base_of(round), Base::kFree) << phase;
    } else {
      EXPECT_EQ(round, before) << phase;
    }
  }
}

TEST(MaskedRound, SpendsTheBaseWhenTheSumIsNone) {
  Round round = in_phase(4);
  say(round, 1, Document::kReveal, true);
  ASSERT_TRUE(in<Finished>(round));
  const std::vector<Effect> effects = effects_of(round, Ruined{"no sum", {{4}}});
  ASSERT_EQ(effects.size(), 1u);
  EXPECT_EQ(std::get<Evict>(effects[0]).node, NodeId{4});
  EXPECT_EQ(base_of(round), Base::kSpent);
}

TEST(MaskedRound, CountsAsItsDescriptorDoes) {
  for (std::uint32_t n = 1; n <= 40; ++n) {
    RoundPlan plan{RoundId{1}, VersionId{0}, 3, MaskedPlan{}};
    std::vector<NodeId> nodes;
    for (std::uint64_t node = 1; node <= n; ++node) nodes.push_back({node});
    Round round = begin(std::move(plan), Instant{0}, nodes);
    for (const NodeId node : nodes)
      round = step(round, Said{node, Document::kAdvert, {}, false}).next;
    Descriptor descriptor;
    descriptor.survivors_min = 3;
    if (roster(round).size() == n) {
      EXPECT_EQ(survivors_needed(round), survivors_needed(descriptor, n)) << n;
    }
  }
}

// I4: whatever happens, nothing is opened with fewer than a quorum and the honest ones; and once
// vectors may have left, the base is free again only by a quorum's word.
TEST(MaskedRound, KeepsItsPromisesOverRandomEvents) {
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    SCOPED_TRACE(seed);
    Rng rng(seed);
    Round round = of_seven();
    bool masked = false;
    for (int i = 0; i < 400 && !is_over(round); ++i) {
      const NodeId node{1 + rng.below(kNodes)};
      masked = masked || in<Collecting>(round);
      const Places sharers_before = sharers(round), survivors_before = survivor_places(round);
      const bool agreeing = in<Agreeing>(round) || in<Unmasking>(round);
      const bool collecting = in<Collecting>(round);
      switch (rng.below(40)) {
        case 0: effects_of(round, DeadlinePassed{}); break;
        case 1: effects_of(round, Vanished{node}); break;
        case 2: effects_of(round, Restarted{}); break;
        case 3: effects_of(round, Complained{node, {1 + rng.below(kNodes)}}); break;
        case 4:
        case 5:
        case 6:
        case 7:
        case 8:
        case 9:
        case 10:
        case 11: effects_of(round, Uploaded{node, blob(node.value)}); break;
        default:
          effects_of(round, Said{node, static_cast<Document>(rng.below(kDocuments)),
                                 blob(node.value), rng.below(4) == 0});
      }
      if (agreeing || collecting) {
        EXPECT_EQ(sharers(round), sharers_before);
      }
      if (agreeing) {
        EXPECT_EQ(survivor_places(round), survivors_before);
      }
      if (in<Finished>(round)) {
        EXPECT_GE(survivors(round).size(), kNeeded);
      }
    }
    if (const auto* aborted = std::get_if<Aborted>(&round.phase); aborted != nullptr && masked) {
      const auto gave_up =
          std::count_if(round.cohort.begin(), round.cohort.end(),
                        [](const Member& m) { return m.document(Document::kAbort).has_value(); });
      EXPECT_NE(aborted->base, Base::kFree);
      EXPECT_EQ(aborted->base == Base::kGivenUp,
                gave_up >= static_cast<std::ptrdiff_t>(quorum(round)));
    }
  }
}

}  // namespace
}  // namespace freshet::round
