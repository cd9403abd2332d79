// A coordinator that cheats, in every way that it could profit from. Each test first sees that the
// honest way works, by the same hands, and then that every honest node stops before it reveals
// anything.
#include "edge_node/policy.h"
#include "tests/simulations/puppet.h"

namespace freshet::sim {
namespace {

constexpr std::uint32_t kNodes = 9;  // 7 make a quorum

TEST(Coordinator, WhoKeepsToTheProtocolOpensTheSumOfAll) {
  Puppet puppet(kNodes);
  puppet.run_to_vectors();
  puppet.name_survivors(all_of(kNodes));
  puppet.send_quorum(all_of(kNodes));
  EXPECT_EQ(puppet.count_all<Reveal>(), kNodes);
}

TEST(Coordinator, WhoLosesTwoOpensTheSumOfSeven) {
  Puppet puppet(kNodes);
  puppet.run_to_vectors();
  const Places survivors = without(without(all_of(kNodes), 2), 8);
  puppet.name_survivors(survivors);
  puppet.send_quorum(survivors);
  EXPECT_EQ(puppet.count_all<Reveal>(), survivors.size());
}

TEST(CheatingCoordinator, NamesTwoListsOfSurvivors) {
  Puppet puppet(kNodes);
  puppet.run_to_vectors();
  const Places some = without(all_of(kNodes), 8), others = without(all_of(kNodes), 0);
  for (std::uint32_t i = 0; i < kNodes; ++i) {
    const bool first = i < 4 && i != 8;
    puppet.say(i, ChunkAck{puppet.descriptor.round, puppet.heard<UploadChunk>(i)->blob,
                           puppet.heard<UploadChunk>(i)->size});
    puppet.say(i, Survivors{sid_of(puppet.descriptor), first ? some : others});
  }
  EXPECT_EQ(puppet.count_all<AgreeSurvivors>(), kNodes);
  // All signatures, as if they were under one list; or each list's own.
  puppet.send_quorum(all_of(kNodes));
  puppet.expect_nothing_revealed();
  for (std::uint32_t i = 0; i < kNodes; ++i)
    puppet.say(i, puppet.quorum_of_signers(i < 4 ? Places{0, 1, 2, 3} : Places{4, 5, 6, 7, 8}));
  puppet.expect_nothing_revealed();
}

TEST(CheatingCoordinator, CountsOneSignatureSeveralTimes) {
  Puppet puppet(kNodes);
  puppet.run_to_vectors();
  puppet.name_survivors(all_of(kNodes));
  Quorum quorum = puppet.quorum_of_signers({0, 1, 2});
  while (quorum.signatures.size() < kNodes) quorum.signatures.push_back(quorum.signatures[1]);
  for (std::uint32_t i = 0; i < kNodes; ++i) puppet.say(i, quorum);
  puppet.expect_nothing_revealed();
  for (std::uint32_t i = 0; i < kNodes; ++i) quorum.signatures[i].index = i;  // of others' names
  Puppet again(kNodes);
  again.run_to_vectors();
  again.name_survivors(all_of(kNodes));
  quorum.sid = sid_of(again.descriptor);
  for (std::uint32_t i = 0; i < kNodes; ++i) again.say(i, quorum);
  again.expect_nothing_revealed();
}

TEST(CheatingCoordinator, NamesOtherSurvivorsAfterTheFirst) {
  Puppet puppet(kNodes);
  puppet.run_to_vectors();
  puppet.name_survivors(all_of(kNodes));
  const Places fewer = without(all_of(kNodes), 4);
  for (std::uint32_t i = 0; i < kNodes; ++i)
    puppet.say(i, Survivors{sid_of(puppet.descriptor), fewer});
  for (std::uint32_t i = 0; i < kNodes; ++i)
    EXPECT_LE(puppet.count<AgreeSurvivors>(i), 1u) << "node " << i;
  puppet.expect_nothing_revealed();
}

TEST(CheatingCoordinator, AsksForBothSharesOfOneNode) {
  Puppet puppet(kNodes);
  puppet.run_to_vectors();
  puppet.name_survivors(all_of(kNodes));
  puppet.send_quorum(all_of(kNodes));
  ASSERT_EQ(puppet.count_all<Reveal>(), kNodes);
  // Now as if node 4 had dropped out: again a list, and the quorum that there is.
  const Places fewer = without(all_of(kNodes), 4);
  for (const std::uint32_t i : fewer) puppet.say(i, Survivors{sid_of(puppet.descriptor), fewer});
  puppet.send_quorum(fewer);
  for (std::uint32_t i = 0; i < kNodes; ++i) {
    EXPECT_EQ(puppet.count<AgreeSurvivors>(i), 1u) << "node " << i;
    for (const NodeMessage& message : puppet.said[i]) {
      const auto* reveal = std::get_if<Reveal>(&message);
      if (reveal == nullptr) continue;
      for (const secagg::RevealedShare& share : reveal->shares)
        EXPECT_TRUE(share.self_mask) << "node " << i << " gives the other share of " << share.of;
    }
  }
}

TEST(CheatingCoordinator, ReplaysWhatOneRoundSaidInAnother) {
  Puppet first(kNodes);
  first.run_to_vectors();
  first.name_survivors(all_of(kNodes));
  Puppet second(
      kNodes, [](Descriptor& d) { d.round = RoundId{2}; }, first.members);
  second.advertise();
  RosterPage old = first.roster_page();
  old.sid = sid_of(second.descriptor);  // relabelled: its adverts are signed for the first
  for (std::uint32_t i = 0; i < kNodes; ++i) second.say(i, old);
  second.expect_all_refuse("not signed by it, or for another round");

  Puppet third(
      kNodes, [](Descriptor& d) { d.round = RoundId{3}; }, first.members);
  third.run_to_vectors();
  third.name_survivors(all_of(kNodes));
  Quorum quorum = first.quorum_of_signers(all_of(kNodes));
  quorum.sid = sid_of(third.descriptor);
  for (std::uint32_t i = 0; i < kNodes; ++i) third.say(i, quorum);
  third.expect_nothing_revealed();
}

TEST(CheatingCoordinator, PutsItsOwnKeysInPlaceOfANodes) {
  Puppet puppet(kNodes);
  puppet.advertise();
  RosterPage page = puppet.roster_page();
  page.members[3].advert = puppet.members->make_keys().advert();
  for (std::uint32_t i = 0; i < kNodes; ++i) puppet.say(i, page);
  puppet.expect_all_refuse("not signed by it");
}

TEST(CheatingCoordinator, ExchangesTheKeysOfTwoNodes) {
  Puppet puppet(kNodes);
  puppet.advertise();
  RosterPage page = puppet.roster_page();
  std::swap(page.members[3].advert, page.members[4].advert);
  for (std::uint32_t i = 0; i < kNodes; ++i) puppet.say(i, page);
  puppet.expect_all_refuse("not signed by it");
}

// A member that works with the coordinator comes with the cipher key of another. A complaint about
// its boxes would show what the complaining node agreed on with the other (tests/crypto/secagg/
// possession_test.cpp does that). The other's proof is of no use to it, and it has none of its own.
TEST(CheatingCoordinator, BorrowsANodesCipherKey) {
  for (const bool with_proof : {false, true}) {
    Puppet puppet(kNodes);
    puppet.advertise();
    RosterPage page = puppet.roster_page();
    RosterMember& borrower = page.members[3];
    borrower.advert.cipher = page.members[4].advert.cipher;
    if (with_proof) borrower.advert.possession = page.members[4].advert.possession;
    borrower.signature =
        sign(puppet.members->node(3), kAdvertDomain, signed_advert(page.sid, borrower.advert));
    page.members.erase(page.members.begin() + 4);  // else the key would stand there twice
    page.total = kNodes - 1;
    for (std::uint32_t i = 0; i < kNodes; ++i)
      if (i != 3 && i != 4) puppet.say(i, page);
    for (std::uint32_t i = 0; i < kNodes; ++i) {
      if (i == 3 || i == 4) continue;
      ASSERT_NE(puppet.nodes[i]->over(), nullptr) << "node " << i << " goes on";
      EXPECT_NE(puppet.nodes[i]->over()->why.find("does not show to know"), std::string::npos);
      EXPECT_FALSE(puppet.nodes[i]->has_keys());
    }
    EXPECT_EQ(puppet.count_all<ShareBundle>(), 0u);
  }
}

TEST(CheatingCoordinator, ShowsTwoRosters) {
  Puppet puppet(kNodes);
  puppet.advertise();
  const RosterPage page = puppet.roster_page();
  RosterPage other = page;
  other.members.erase(other.members.begin() + 8);
  other.total = kNodes - 1;
  for (std::uint32_t i = 0; i < kNodes; ++i) puppet.say(i, i < 5 ? page : other);
  for (std::uint32_t i = 0; i < 8; ++i) {
    const Places sharers = i < 5 ? Places{0, 1, 2, 3, 4, 5, 6, 7} : all_of(8);
    if (puppet.heard<ShareBundle>(i) != nullptr) puppet.say(i, puppet.forward_to(i, sharers));
  }
  EXPECT_EQ(puppet.count_all<UploadChunk>(), 0u);  // boxes of the other roster do not open
  puppet.expect_nothing_revealed();
}

TEST(CheatingCoordinator, WithholdsTheSharesOfOneFromAnother) {
  Puppet puppet(kNodes);
  puppet.advertise();
  puppet.send_roster();
  Forward forward = puppet.forward_to(2, all_of(kNodes));
  forward.boxes.erase(forward.boxes.begin() + 5);
  puppet.say(2, forward);
  ASSERT_NE(puppet.nodes[2]->over(), nullptr);
  EXPECT_EQ(puppet.count<UploadChunk>(2), 0u);
  EXPECT_FALSE(puppet.nodes[2]->has_keys());
}

TEST(CheatingCoordinator, NamesOtherSharersToSome) {
  Puppet puppet(kNodes);
  puppet.advertise();
  puppet.send_roster();
  const Places fewer = without(all_of(kNodes), 8);
  for (std::uint32_t i = 0; i < kNodes; ++i)
    puppet.say(i, puppet.forward_to(i, i < 4 ? fewer : all_of(kNodes)));
  puppet.name_survivors(fewer);
  puppet.send_quorum(fewer);
  puppet.expect_nothing_revealed();
}

TEST(CheatingCoordinator, ForgesABox) {
  Puppet puppet(kNodes);
  puppet.advertise();
  puppet.send_roster();
  Forward forward = puppet.forward_to(2, all_of(kNodes));
  forward.boxes[0].box[30] ^= 1;
  puppet.say(2, forward);
  ASSERT_NE(puppet.nodes[2]->over(), nullptr);
  EXPECT_EQ(puppet.count<UploadChunk>(2), 0u);
  EXPECT_EQ(puppet.count<Complaint>(2), 0u);  // nobody is accused of what the sender did not sign
}

CampaignPlan plan_of(const Descriptor& d) {
  CampaignPlan plan;
  plan.mode = Mode::kMasked;
  plan.clip = d.clip;
  plan.grid = d.grid;
  plan.cohort_max = d.cohort_max;
  plan.survivors_min = d.survivors_min;
  plan.masking = {d.honest_min, d.corrupt, d.dropped, d.newcomers, d.phase_ms};
  return plan;
}

// What a node with this policy says to a descriptor that differs from an honest one by `change`.
std::optional<Refusal> refusal(const NodePolicy& policy,
                               const std::function<void(Descriptor&)>& change) {
  Puppet puppet(kNodes);
  Descriptor d = puppet.descriptor;
  d.honest_min = 4;
  d.survivors_min = 2;
  const CampaignPlan plan = plan_of(d);
  Loaded loaded{d.campaign, plan, {}, {}, d.base, d.layout, Puppet::kWords};
  d.plan = plan_digest(plan);
  d.supplied = supplied_digest(loaded.model, loaded.adapter, loaded.version);
  change(d);
  return refusal_of(policy, d, loaded);
}

TEST(CheatingCoordinator, GivesOneNodeAnotherModel) {
  const auto none = refusal({}, [](Descriptor&) {});
  ASSERT_FALSE(none) << none->why;
  const auto refused = refusal({}, [](Descriptor& d) { d.supplied[0] ^= 1; });
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->declined, Declined::kModel);
}

// Were the node not to look, its masks would not cancel: there is nothing to be seen in the sum.
TEST(CheatingCoordinator, OpensNoiseWhenOneNodeLoadedAnotherModel) {
  for (const bool cheats : {false, true}) {
    Puppet puppet(kNodes);
    if (cheats) puppet.supplied[3][0] ^= 1;
    puppet.run_to_vectors();
    puppet.name_survivors(all_of(kNodes));
    puppet.send_quorum(all_of(kNodes));
    ASSERT_EQ(puppet.count_all<Reveal>(), kNodes);
    MaskedSum sum;
    secagg::Unmasking round;
    round.bound = {sid_of(puppet.descriptor), puppet.descriptor.supplied, puppet.spent[0]->roster};
    round.sharers = round.survivors = all_of(kNodes);
    round.threshold = 7;
    round.neighbours = [](std::uint32_t i) { return without(all_of(kNodes), i); };
    for (std::uint32_t i = 0; i < kNodes; ++i) {
      round.roster.push_back(puppet.heard<Advertise>(i)->advert);
      const auto& frame = puppet.heard<UploadChunk>(i)->data;
      ASSERT_TRUE(
          add_packed(sum, ByteView(frame).subspan(kFrameSignatureBytes), Puppet::kWords + 1, 20));
    }
    secagg::Recovery recovery = secagg::Recovery::start(std::move(round)).value();
    for (std::uint32_t i = 0; i < kNodes; ++i)
      ASSERT_TRUE(recovery.take(i, puppet.heard<Reveal>(i)->shares));
    ASSERT_TRUE(recovery.rebuild());
    const QuantizedSum opened = unmask(std::move(sum), recovery);
    EXPECT_EQ(opened.words.back() == kNodes, !cheats);
    EXPECT_EQ(opened.words[0] == 3'600, !cheats);
  }
}

TEST(CheatingCoordinator, AsksForLessThanTheNodesPolicy) {
  const auto fewer = refusal({}, [](Descriptor& d) { d.honest_min = 1; });
  ASSERT_TRUE(fewer);
  const auto trusting = refusal({}, [](Descriptor& d) { d.corrupt = {1, 100}; });
  ASSERT_TRUE(trusting);
}

TEST(CheatingCoordinator, LowersTheThreshold) {
  // Fewer sharers than the quorum; then fewer survivors.
  Puppet puppet(kNodes);
  puppet.advertise();
  puppet.send_roster();
  const Places few = {0, 1, 2, 3, 4, 5};
  for (const std::uint32_t i : few) puppet.say(i, puppet.forward_to(i, few));
  EXPECT_EQ(puppet.count_all<UploadChunk>(), 0u);
  puppet.expect_nothing_revealed();

  Puppet again(kNodes);
  again.run_to_vectors();
  again.name_survivors(few);
  EXPECT_EQ(again.count_all<AgreeSurvivors>(), 0u);
  again.send_quorum(few);
  again.expect_nothing_revealed();
}

TEST(CheatingCoordinator, FormsACohortOfOneOrTwo) {
  for (const std::uint32_t n : {1u, 2u}) {
    Puppet puppet(n);
    puppet.rules.honest_min = 4;
    puppet.advertise();
    puppet.send_roster();
    for (std::uint32_t i = 0; i < n; ++i) {
      EXPECT_NE(puppet.nodes[i]->over(), nullptr);
      EXPECT_EQ(puppet.count<ShareBundle>(i), 0u);
    }
  }
}

TEST(CheatingCoordinator, FormsACohortTooSmallForTheNodesPolicy) {
  Puppet puppet(5);
  puppet.rules.honest_min = 5;  // 5 honest and a third that is not: at least 8
  puppet.advertise();
  puppet.send_roster();
  puppet.expect_all_refuse("");
  EXPECT_EQ(puppet.count_all<ShareBundle>(), 0u);
}

TEST(CheatingCoordinator, PutsOneDeviceIntoTheRosterTwice) {
  Puppet puppet(kNodes);
  puppet.advertise();
  RosterPage page = puppet.roster_page();
  page.members[4] = page.members[3];
  for (std::uint32_t i = 0; i < kNodes; ++i) puppet.say(i, page);
  puppet.expect_all_refuse("twice");
}

TEST(CheatingCoordinator, HidesBehindAStaleRevocationList) {
  const auto members = std::make_shared<const Members>(kNodes, std::vector<std::size_t>{6});
  Puppet puppet(kNodes, {}, members);
  puppet.advertise();
  puppet.send_roster();
  puppet.expect_all_refuse("revoked");

  // The nodes know a newer list than the coordinator goes by.
  Puppet stale(kNodes, [](Descriptor& d) { d.trust.list -= 1; });
  stale.advertise();
  stale.send_roster();
  stale.expect_all_refuse("revocation list");
}

TEST(CheatingCoordinator, FillsTheRosterWithNewcomers) {
  constexpr std::int64_t kTwoYearsS = 2 * 365 * 24 * 3600;  // all enrolled a year ago
  for (const bool new_ones : {false, true}) {
    Puppet puppet(kNodes);
    puppet.newcomers = {1, 3};  // by the nodes' own policy
    if (new_ones) puppet.newcomer_s = kTwoYearsS;
    puppet.advertise();
    puppet.send_roster();
    EXPECT_EQ(puppet.count_all<ShareBundle>(), new_ones ? 0 : kNodes);
    if (new_ones) puppet.expect_all_refuse("newcomers");
  }
}

}  // namespace
}  // namespace freshet::sim
