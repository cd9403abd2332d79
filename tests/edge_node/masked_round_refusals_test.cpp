#include "tests/edge_node/masked_cohort.h"

namespace freshet {
namespace {

using exchange::Ending;

constexpr std::uint32_t kCohort = 8;

// Whatever is wrong with a roster: no share leaves.
TEST(MaskedRound, RefusesAWrongRoster) {
  struct Row {
    std::string_view says;
    std::function<void(MaskedCohort&, RosterPage&)> change;
  };
  const Row kRows[] = {
      {"twice", [](MaskedCohort&, RosterPage& page) { page.members[5] = page.members[4]; }},
      {"not signed by it",
       [](MaskedCohort&, RosterPage& page) { page.members[5].advert.nonce[0] ^= 1; }},
      {"does not have this node",
       [](MaskedCohort&, RosterPage& page) {
         page.members.erase(page.members.begin());
         --page.total;
       }},
      {"rising",
       [](MaskedCohort&, RosterPage& page) { std::swap(page.members[4], page.members[5]); }},
      {"beacon", [](MaskedCohort&, RosterPage& page) { page.opening[0] ^= 1; }},
      {"does not fit into it", [](MaskedCohort&, RosterPage& page) { page.first = 1; }},
      {"does not fit into it", [](MaskedCohort&, RosterPage& page) { page.total = 5000; }},
      {"honest",
       [](MaskedCohort&, RosterPage& page) {
         page.members.resize(4);
         page.total = 4;
       }},
      {"is revoked",
       [](MaskedCohort& cohort, RosterPage&) {
         cohort.keys.list.serial = 2;
         cohort.keys.list.entries.push_back(
             {cohort.nodes[6].identity.open.id(), Revocation::kRevoked});
         cohort.trust = cohort.keys.trust();
       }},
  };
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.says);
    MaskedCohort cohort(kCohort);
    if (row.says == "is revoked") {
      cohort.descriptor.trust.list =
          2;  // the coordinator goes by it, and lists the node all the same
      RosterPage unused;
      row.change(cohort, unused);
    }
    cohort.advertise();
    RosterPage page = cohort.page();
    if (row.says != "is revoked") row.change(cohort, page);
    TestNode& node = cohort.nodes[0];
    ASSERT_TRUE(node.round->take(page, cohort.now));
    EXPECT_EQ(node.over().ending, Ending::kRefused);
    EXPECT_NE(node.over().why.find(row.says), std::string::npos) << node.over().why;
    EXPECT_EQ(node.last<ShareBundle>(), nullptr);
    ASSERT_NE(node.last<Decline>(), nullptr);
    EXPECT_EQ(node.last<Decline>()->why, Declined::kRoster);
    EXPECT_FALSE(node.record);
    EXPECT_FALSE(node.round->has_keys());
  }
}

TEST(MaskedRound, AsksForANewerTrustBundleBeforeItSharesAnything) {
  MaskedCohort cohort(kCohort);
  cohort.descriptor.trust.list = 2;
  cohort.advertise();
  TestNode& node = cohort.nodes[0];
  ASSERT_TRUE(node.round->take(cohort.page(), cohort.now));
  EXPECT_EQ(node.trust_asked, 1);
  EXPECT_EQ(node.last<ShareBundle>(), nullptr);
  EXPECT_EQ(node.round->over(), nullptr);
  cohort.keys.list.serial = 2;
  cohort.trust = cohort.keys.trust();
  ASSERT_TRUE(node.round->trust_arrived(cohort.now));
  EXPECT_NE(node.last<ShareBundle>(), nullptr);
}

TEST(MaskedRound, ComplainsOfABoxThatAnybodyCanSeeIsBad) {
  MaskedCohort cohort(kCohort);
  cohort.advertise();
  cohort.share();
  Forward forward = cohort.forward(0, cohort.everybody());
  SignedBox& bad = forward.boxes[2];  // of member 3, which signs nonsense
  bad.box[40] ^= 1;
  const Digest sid = sid_of(cohort.descriptor), roster = roster_digest(sid, cohort.roster);
  bad.signature =
      sign(cohort.nodes[3].identity, kBoxDomain, signed_box({sid, roster, 3, 0}, bad.box));
  TestNode& node = cohort.nodes[0];
  ASSERT_TRUE(node.round->take(forward, cohort.now));
  const auto* complaint = node.last<Complaint>();
  ASSERT_NE(complaint, nullptr);
  EXPECT_EQ(complaint->box, bad);
  const secagg::Direction direction{3, 0, cohort.roster[3].advert.cipher,
                                    cohort.roster[0].advert.cipher};
  EXPECT_EQ(secagg::judge({sid, cohort.descriptor.supplied, roster}, direction, {0, bad.box},
                          complaint->evidence),
            secagg::Verdict::kSenderLied);
  EXPECT_TRUE(verify(node.identity.open.signing, kComplaintDomain,
                     signed_complaint(sid, complaint->box, complaint->evidence),
                     complaint->signature));
  EXPECT_EQ(node.last<UploadChunk>(), nullptr);
  EXPECT_FALSE(node.round->has_keys());
}

// What only the coordinator can have done: no vector leaves.
TEST(MaskedRound, RefusesBoxesThatTheCoordinatorTouched) {
  struct Row {
    std::string_view says;
    std::function<void(Forward&)> change;
  };
  const Row kRows[] = {
      {"not signed by it", [](Forward& f) { f.boxes[2].box[40] ^= 1; }},
      {"not signed by it", [](Forward& f) { std::swap(f.boxes[1].box, f.boxes[2].box); }},
      {"left out or added", [](Forward& f) { f.boxes.pop_back(); }},
      {"nobody in the roster", [](Forward& f) { f.boxes[2].peer = kCohort; }},
      {"nobody in the roster", [](Forward& f) { f.boxes[2].peer = 0; }},
      {"this node's shares", [](Forward& f) { std::erase(f.sharers, 0u); }},
      {"fewer than", [](Forward& f) { f.sharers.resize(5), f.boxes.resize(4); }},
  };
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.says);
    MaskedCohort cohort(kCohort);
    cohort.advertise();
    cohort.share();
    Forward forward = cohort.forward(0, cohort.everybody());
    row.change(forward);
    TestNode& node = cohort.nodes[0];
    ASSERT_TRUE(node.round->take(forward, cohort.now));
    EXPECT_EQ(node.over().ending, Ending::kRefused);
    EXPECT_NE(node.over().why.find(row.says), std::string::npos) << node.over().why;
    EXPECT_EQ(node.last<UploadChunk>(), nullptr);
    EXPECT_EQ(node.charges, 0);
    EXPECT_FALSE(node.record->left);
  }
}

TEST(MaskedRound, SendsNothingWhenItsBudgetIsSpent) {
  MaskedCohort cohort(kCohort);
  cohort.nodes[0].broke = true;
  cohort.advertise();
  cohort.share();
  TestNode& node = cohort.nodes[0];
  ASSERT_TRUE(node.round->take(cohort.forward(0, cohort.everybody()), cohort.now));
  EXPECT_EQ(node.over().ending, Ending::kFailed);
  EXPECT_EQ(node.last<Decline>()->why, Declined::kBudget);
  EXPECT_EQ(node.last<UploadChunk>(), nullptr);
  EXPECT_FALSE(node.record->left);
}

// Whatever must be durable before something leaves, and is not: it does not leave.
TEST(MaskedRound, SendsNothingThatItCannotRecord) {
  for (int phase = 0; phase < 4; ++phase) {
    SCOPED_TRACE(phase);
    MaskedCohort cohort(kCohort);
    TestNode& node = cohort.nodes[0];
    const Digest sid = sid_of(cohort.descriptor);
    node.disk_full = phase == 0;
    cohort.advertise();
    cohort.share();
    EXPECT_EQ(node.last<ShareBundle>() != nullptr, phase > 0);
    node.disk_full = phase <= 1;
    if (phase > 0) {
      ASSERT_TRUE(node.round->take(cohort.forward(0, cohort.everybody()), cohort.now));
    }
    EXPECT_EQ(node.last<UploadChunk>() != nullptr, phase > 1);
    node.disk_full = true;
    if (phase == 2) {
      ASSERT_TRUE(node.round->take(Survivors{sid, cohort.everybody()}, cohort.now));
    }
    EXPECT_EQ(node.last<AgreeSurvivors>(), nullptr);
    if (phase == 3) {
      ASSERT_TRUE(node.round->take(AskAbort{sid, ""}, cohort.now));
    }
    EXPECT_EQ(node.last<AgreeAbort>(), nullptr);
    EXPECT_FALSE(node.round->has_keys());
    if (phase < 3) {
      EXPECT_EQ(node.last<Decline>()->why, Declined::kFailed);
    }
    node.disk_full = false;  // asked again, it signs
    ASSERT_TRUE(node.round->take(AskAbort{sid, ""}, cohort.now));
    EXPECT_EQ(node.last<AgreeAbort>() != nullptr, phase != 2);
  }
}

}  // namespace
}  // namespace freshet
