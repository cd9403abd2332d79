#include "tests/edge_node/exchange_player.h"

namespace freshet::exchange {
namespace {

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

}  // namespace
}  // namespace freshet::exchange
