#include "membership/member.h"

#include "tests/membership/fleet.h"

namespace freshet::membership {
namespace {

struct MemberOf : testing::Test {
  void SetUp() override {
    keys = load_or_make_keys(temp.path()).value();
    ASSERT_TRUE(write_file_durably(temp / kBundleName, signer.bundle(1), 0600));
    save(signer.certificate(keys.identity), signer.certificate(hub, Role::kCoordinator));
  }
  void save(const Bytes& own, const Bytes& coordinator) {
    ASSERT_TRUE(save_membership(
        temp.path(), {Role::kNode, signer.root.open.signing, signer.issuer.open.transport,
                      "tcp://127.0.0.1:1", "tcp://c:1", own, coordinator}));
  }
  Result<std::unique_ptr<Member>> open() { return Member::open(temp.path(), keys.identity, 1000); }
  TempFolder temp;
  Signer signer;
  Identity hub = Identity::generate();
  KeyRing keys{Identity::generate(), Secret()};
};

TEST_F(MemberOf, AFolderThatNeverJoinedIsNone) {
  const TempFolder empty;
  EXPECT_EQ(Member::open(empty.path(), keys.identity, 1000).value(), nullptr);
}

TEST_F(MemberOf, AFleetKnowsItsOwnCertificateAndItsCoordinator) {
  const auto member = open().value();
  EXPECT_EQ(member->certificate().keys, keys.identity.open);
  EXPECT_EQ(member->coordinator(kNow).value(), hub.open);
  EXPECT_TRUE(member->standing(kNow));
  EXPECT_EQ(member->directory(), nullptr);
  EXPECT_EQ(member->standing(kNow + 8 * kDay).error().code, Code::kExpired) << "the list's end";
}

TEST_F(MemberOf, AFleetHearsThatItsCoordinatorOrItselfIsRevoked) {
  const auto member = open().value();
  EXPECT_EQ(member->follow_coordinator(hub.open, kNow).value(), hub.open);
  std::vector<Revocation> revoked{{hub.open.id(), Revocation::kRevoked}};
  ASSERT_TRUE(member->trust().take(signer.bundle(2, revoked)).value());
  EXPECT_EQ(member->follow_coordinator(hub.open, kNow).error().code, Code::kRefused);
  EXPECT_FALSE(member->coordinator(kNow));
  EXPECT_TRUE(member->standing(kNow));
  const PublicIdentity pinned = Identity::generate().open;  // by a flag
  EXPECT_EQ(member->follow_coordinator(pinned, kNow).value(), pinned);
  revoked = {{keys.identity.open.id(), Revocation::kRevoked}};
  ASSERT_TRUE(member->trust().take(signer.bundle(3, revoked)).value());
  EXPECT_EQ(member->standing(kNow).error().code, Code::kRefused);
}

TEST_F(MemberOf, AFleetFollowsItsCoordinatorToNewKeysOfTheSameDevice) {
  const std::int64_t now_s = signer.now_s = wall_clock_s();  // by which news are checked
  SetUp();
  const auto member = open().value();
  const Identity next = Identity::generate(), other = Identity::generate();
  const auto certified = [&](const Identity& of, NodeId device) {
    return signer.certificate(of, Role::kCoordinator, 2, device);
  };
  EXPECT_EQ(member->follow_coordinator(hub.open, now_s).value(), hub.open);
  const Bytes bundle = signer.bundle(2, {{hub.open.id(), 2}});
  member->take(authority::TrustIs{bundle, certified(other, other.open.id())}, Instant{});
  const auto stranger = member->follow_coordinator(hub.open, now_s);
  ASSERT_FALSE(stranger) << "another device is another coordinator";
  EXPECT_EQ(stranger.error().code, Code::kRefused);
  member->take(authority::TrustIs{{}, certified(next, hub.open.id())}, Instant{});
  EXPECT_EQ(member->follow_coordinator(hub.open, now_s).value(), next.open);
  EXPECT_EQ(member->follow_coordinator(next.open, now_s).value(), next.open);
}

TEST_F(MemberOf, AFolderWithAnothersCertificateIsRefused) {
  save(signer.certificate(Identity::generate()), {});
  EXPECT_EQ(open().error().code, Code::kRefused);
}

TEST_F(MemberOf, AFleetWithoutACoordinatorSaysSo) {
  std::filesystem::remove(temp / "coordinator.certificate");
  EXPECT_EQ(open().value()->coordinator(kNow).error().code, Code::kUnavailable);
}

TEST_F(MemberOf, AnAuthorityThatIsAwayIsNoReasonToStop) {
  const auto member = open().value();
  for (std::int64_t ms = 0; ms < 100'000; ms += 10'000) member->tick(Instant{ms});
  EXPECT_EQ(member->trust().revocations(), 1u);
  EXPECT_EQ(member->changes(), 1u);
}

}  // namespace
}  // namespace freshet::membership
