#include "authority/office.h"

#include "tests/authority/fleet.h"

namespace freshet::authority {
namespace {

TEST(Office, GivesACertificateForAToken) {
  Fleet fleet;
  const JoinToken token = fleet.invite();
  EXPECT_EQ(token.root, root_digest(fleet.root().open.signing));
  EXPECT_EQ(token.authority, fleet.office().transport());
  const Identity node = Identity::generate();
  const Answer answer = fleet.join(token, node);
  const auto certificate = fleet.check(certificate_in(answer));
  ASSERT_TRUE(certificate) << certificate.error().what;
  EXPECT_EQ(certificate->keys, node.open);
  EXPECT_EQ(certificate->device, node.open.id());
  EXPECT_EQ(certificate->enrolled_s, kStart);
  EXPECT_EQ(certificate->not_after_s, kStart + 365 * kDay);
  EXPECT_EQ(certificate->epoch, 1u);
  EXPECT_EQ(std::get<Joined>(answer).bundle, fleet.office().bundle());
  EXPECT_EQ(fleet.office().registry().party(node.open.id())->label, "kitchen");
}

TEST(Office, AnswersTheSamePartyTheSameHoweverOftenAReplyIsLost) {
  Fleet fleet;
  const JoinToken token = fleet.invite();
  const Identity node = Identity::generate();
  const Bytes first = certificate_in(fleet.join(token, node));
  fleet.now_s += 30 * kHour;  // after the token's time, too
  EXPECT_EQ(certificate_in(fleet.join(token, node)), first);
  fleet.open();
  EXPECT_EQ(certificate_in(fleet.join(token, node)), first);
  EXPECT_EQ(fleet.office().registry().parties().size(), 1u);
}

TEST(Office, RefusesAUsedExpiredOrForeignToken) {
  Fleet fleet, other;
  const Identity node = Identity::generate(), second = Identity::generate();
  const JoinToken used = fleet.invite(), late = fleet.invite(), foreign = other.invite();
  certificate_in(fleet.join(used, node));
  expect_denied(fleet.join(used, second), Code::kRefused, "used by another party");
  expect_denied(fleet.join(foreign, second), Code::kRefused, "not of this authority");
  fleet.now_s += kDay;
  EXPECT_TRUE(std::holds_alternative<Joined>(fleet.join(late, second))) << "to the last second";
  const JoinToken too_late = fleet.invite();
  fleet.now_s += kDay + 1;
  expect_denied(fleet.join(too_late, Identity::generate()), Code::kExpired, "has expired");
  EXPECT_EQ(fleet.office().registry().parties().size(), 2u);
}

TEST(Office, RefusesATokenForAnotherRole) {
  Fleet fleet;
  const JoinToken token = fleet.invite(Role::kNode);
  const Identity coordinator = Identity::generate();
  expect_denied(*fleet.ask(make_join(token.secret, Role::kCoordinator, coordinator), coordinator),
                Code::kRefused, "lets a node in, not a coordinator");
  expect_denied(*fleet.ask(make_join(token.secret, Role::kIssuer, coordinator), coordinator),
                Code::kRefused, "not a issuer");
}

TEST(Office, RefusesKeysThatTheAskerDoesNotOwn) {
  Fleet fleet;
  const JoinToken token = fleet.invite();
  const Identity node = Identity::generate(), thief = Identity::generate();
  const Join join = make_join(token.secret, Role::kNode, node);
  expect_denied(*fleet.ask(join, thief), Code::kRefused, "not its sender's");
  Join changed = join;
  changed.keys.sealing = thief.open.sealing;
  expect_denied(*fleet.ask(changed, node), Code::kRefused, "not its sender's");
  Identity low = copy_of(node);
  low.open.sealing.bytes.fill(0);
  expect_denied(*fleet.ask(make_join(token.secret, Role::kNode, low), low), Code::kRefused,
                "low-order");
}

TEST(Office, EnrolsOneDeviceOnce) {
  Fleet fleet;
  const Identity node = Identity::generate();
  certificate_in(fleet.join(fleet.invite(), node));
  expect_denied(fleet.join(fleet.invite(), node), Code::kRefused, "have a certificate already");
  Identity half = Identity::generate();
  half.open.sealing = node.open.sealing;
  expect_denied(fleet.join(fleet.invite(), half), Code::kRefused, "have a certificate already");
}

TEST(Office, LetsAPartyWaitForApprovalWhereTheInvitationSaysSo) {
  Fleet fleet;
  const JoinToken token = fleet.invite(Role::kNode, true);
  const Identity node = Identity::generate();
  EXPECT_TRUE(std::holds_alternative<Waiting>(fleet.join(token, node)));
  EXPECT_TRUE(std::holds_alternative<Waiting>(fleet.join(token, node)));
  expect_denied(fleet.join(token, Identity::generate()), Code::kRefused, "another party waits");
  EXPECT_TRUE(fleet.office().registry().parties().empty());
  EXPECT_FALSE(fleet.office().approve(NodeId{1}, fleet.now_s));
  fleet.open();
  EXPECT_EQ(fleet.office().approve(node.open.id(), fleet.now_s).value(), 1u);
  EXPECT_TRUE(fleet.check(certificate_in(fleet.join(token, node))));
  EXPECT_FALSE(fleet.office().approve(node.open.id(), fleet.now_s)) << "nobody waits any more";
}

TEST(Office, RevokesByTheIdOfADeviceOrOfItsKeysForEver) {
  Fleet fleet;
  const JoinToken token = fleet.invite();
  const Identity node = Identity::generate(), next = Identity::generate();
  const Bytes first = certificate_in(fleet.join(token, node));
  const Bytes second = certificate_in(fleet.rotate(node, next));
  const std::uint64_t serial = fleet.office().registry().list().serial;
  ASSERT_TRUE(fleet.office().revoke(next.open.id(), fleet.now_s));
  EXPECT_EQ(fleet.office().registry().list().serial, serial + 1);
  EXPECT_NE(fleet.check(first).error().what.find("is revoked"), std::string::npos);
  EXPECT_NE(fleet.check(second).error().what.find("is revoked"), std::string::npos);
  ASSERT_TRUE(fleet.office().revoke(node.open.id(), fleet.now_s)) << "again, by its first id";
  EXPECT_EQ(fleet.office().registry().list().serial, serial + 1);
  expect_denied(fleet.rotate(next, Identity::generate()), Code::kRefused, "revoked");
  expect_denied(fleet.join(token, next), Code::kRefused, "its party is revoked");
  expect_denied(fleet.join(fleet.invite(), next), Code::kRefused, "had one");
  EXPECT_FALSE(fleet.office().revoke(NodeId{5}, fleet.now_s));
  fleet.open();
  EXPECT_FALSE(fleet.check(second));
}

TEST(Office, RotatesAPartyToTheNextEpochAndEndsTheOldOne) {
  Fleet fleet;
  const Identity node = Identity::generate(), next = Identity::generate();
  const Bytes first = certificate_in(fleet.join(fleet.invite(), node));
  fleet.now_s += 100 * kDay;
  const Bytes second = certificate_in(fleet.rotate(node, next));
  const auto certificate = fleet.check(second);
  ASSERT_TRUE(certificate) << certificate.error().what;
  EXPECT_EQ(certificate->device, node.open.id());
  EXPECT_EQ(certificate->keys, next.open);
  EXPECT_EQ(certificate->epoch, 2u);
  EXPECT_EQ(certificate->enrolled_s, kStart) << "it is no newcomer";
  EXPECT_NE(fleet.check(first).error().what.find("was replaced"), std::string::npos);
  // A lost reply, also after a restart.
  EXPECT_EQ(certificate_in(fleet.rotate(node, next)), second);
  fleet.open();
  EXPECT_EQ(certificate_in(fleet.rotate(node, next)), second);
  // Whoever has a copy of the old keys comes too late, and is noticed.
  expect_denied(fleet.rotate(node, Identity::generate()), Code::kRefused, "somebody has a copy");
}

TEST(Office, RotatesOnTheWordOfBothKeysAlone) {
  Fleet fleet;
  const Identity node = Identity::generate(), next = Identity::generate();
  certificate_in(fleet.join(fleet.invite(), node));
  const Rotate rotate = make_rotate(node, next);
  Rotate forged = rotate;
  forged.by_old = make_rotate(Identity::generate(), next).by_old;
  expect_denied(*fleet.ask(forged, next), Code::kRefused, "not its sender's");
  forged = rotate;
  forged.by_new = forged.by_old;
  expect_denied(*fleet.ask(forged, next), Code::kRefused, "not its sender's");
  expect_denied(*fleet.ask(rotate, node), Code::kRefused, "not its sender's");
  const Identity stranger = Identity::generate();
  expect_denied(fleet.rotate(stranger, next), Code::kRefused, "without a certificate");
  fleet.now_s += 366 * kDay;
  expect_denied(fleet.rotate(node, next), Code::kExpired, "has expired");
}

TEST(Office, SignsAFreshListBeforeTheOldOneExpires) {
  Fleet fleet;
  const std::uint64_t serial = fleet.office().registry().list().serial;
  fleet.now_s += 3 * kDay;
  ASSERT_TRUE(fleet.office().refresh(fleet.now_s));
  EXPECT_EQ(fleet.office().registry().list().serial, serial);
  fleet.now_s += kDay;
  ASSERT_TRUE(fleet.office().refresh(fleet.now_s));
  EXPECT_EQ(fleet.office().registry().list().serial, serial + 1);
  EXPECT_EQ(fleet.office().registry().list().expires_s, fleet.now_s + 7 * kDay);
  const Bytes bundle = fleet.office().bundle();
  fleet.open();
  EXPECT_EQ(fleet.office().bundle(), bundle) << "the same list has the same bytes";
}

TEST(Office, ForgetsRevocationsOfWhatHasExpiredForEverybody) {
  Fleet fleet;
  const Identity node = Identity::generate();
  certificate_in(fleet.join(fleet.invite(), node));
  ASSERT_TRUE(fleet.office().revoke(node.open.id(), fleet.now_s));
  EXPECT_EQ(fleet.office().registry().revocations(kStart + 365 * kDay).size(), 1u);
  EXPECT_EQ(fleet.office().registry().revocations(kStart + 367 * kDay).size(), 0u);
}

TEST(Office, TellsWhoAsksForTrustWhetherThereIsANewerOne) {
  Fleet fleet;
  const Identity anybody = Identity::generate();
  const auto trust_for = [&](TrustSerial have) {
    return std::get<TrustIs>(*fleet.ask(AskTrust{have}, anybody));
  };
  const TrustSerial newest = open_trust(fleet.root().open.signing, trust_for({}).bundle)->serial();
  EXPECT_EQ(trust_for(newest), TrustIs{});
  const Identity coordinator = Identity::generate();
  const Bytes certificate =
      certificate_in(fleet.join(fleet.invite(Role::kCoordinator), coordinator));
  EXPECT_EQ(trust_for(newest).coordinator, certificate);
  const Identity node = Identity::generate();
  EXPECT_EQ(std::get<Joined>(fleet.join(fleet.invite(), node)).coordinator, certificate);
}

TEST(Office, ShowsTheDirectoryToACoordinatorAlone) {
  Fleet fleet;
  const Identity coordinator = Identity::generate();
  certificate_in(fleet.join(fleet.invite(Role::kCoordinator), coordinator));
  std::vector<Bytes> certificates;
  std::vector<Identity> nodes;
  for (int i = 0; i < 600; ++i) {
    nodes.push_back(Identity::generate());
    certificates.push_back(certificate_in(fleet.join(fleet.invite(), nodes.back())));
  }
  const auto page_after = [&](std::uint64_t after) {
    return std::get<DirectoryPage>(*fleet.ask(AskDirectory{after}, coordinator));
  };
  const DirectoryPage first = page_after(0);
  EXPECT_EQ(first.certificates.size(), 512u);
  EXPECT_TRUE(first.more);
  const std::uint64_t last = read_certificate(first.certificates.back())->serial;
  const DirectoryPage second = page_after(last);
  EXPECT_EQ(second.certificates.size(), 88u);
  EXPECT_FALSE(second.more);
  EXPECT_EQ(second.certificates.back(), certificates.back());
  // What changes comes with a later serial.
  const Identity next = Identity::generate();
  const Bytes rotated = certificate_in(fleet.rotate(nodes[0], next));
  EXPECT_EQ(page_after(read_certificate(certificates.back())->serial).certificates,
            std::vector<Bytes>{rotated});
  expect_denied(*fleet.ask(AskDirectory{0}, nodes[1]), Code::kRefused, "coordinator alone");
  expect_denied(*fleet.ask(AskDirectory{0}, Identity::generate()), Code::kRefused, "alone");
  ASSERT_TRUE(fleet.office().revoke(coordinator.open.id(), fleet.now_s));
  expect_denied(*fleet.ask(AskDirectory{0}, coordinator), Code::kRefused, "alone");
}

TEST(Office, PutsASuccessorIntoOfficeAndCanDisownTheOldIssuer) {
  Fleet fleet;
  const Identity node = Identity::generate(), later = Identity::generate();
  const Bytes old = certificate_in(fleet.join(fleet.invite(), node));
  ASSERT_TRUE(fleet.add_issuer(2));
  EXPECT_TRUE(fleet.check(old)) << "its issuer is still believed";
  EXPECT_EQ(fleet.check(certificate_in(fleet.join(fleet.invite(), later)))->issuer,
            fleet.issuer(2).open.signing);
  ASSERT_TRUE(fleet.add_issuer(3, true));
  EXPECT_FALSE(fleet.check(old));
  const Identity next = Identity::generate();
  EXPECT_TRUE(fleet.check(certificate_in(fleet.rotate(node, next)))) << "its way back";
  fleet.open();
  EXPECT_FALSE(fleet.office().take_office(copy_of(fleet.issuer(1))));
}

TEST(Office, GivesNoCertificateThatOutlivesItsIssuer) {
  Fleet fleet;
  fleet.now_s += 600 * kDay;
  const Identity node = Identity::generate();
  EXPECT_EQ(fleet.check(certificate_in(fleet.join(fleet.invite(), node)))->not_after_s,
            kStart + 700 * kDay);
}

}  // namespace
}  // namespace freshet::authority
