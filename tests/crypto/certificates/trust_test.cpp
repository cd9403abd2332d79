#include "crypto/certificates/trust.h"

#include "tests/crypto/certificates/authority_keys.h"

namespace freshet {
namespace {

struct TrustOf : testing::Test {
  AuthorityKeys keys;
  Identity node = Identity::generate();
  Bytes certificate = issue(keys.certificate_of(node), keys.issuer);

  Result<Certificate> check(std::int64_t now_s = kNow) const {
    return check_certificate(keys.trust(), certificate, Role::kNode, now_s);
  }
};

TEST_F(TrustOf, AGoodChainIsBelieved) {
  const auto checked = check();
  ASSERT_TRUE(checked) << what(checked);
  EXPECT_EQ(checked->id(), node.open.id());
  EXPECT_EQ(keys.trust().serial(), (TrustSerial{1, 1}));
}

TEST_F(TrustOf, DatesHaveFiveMinutesOfSlackAtBothEnds) {
  keys.list.issued_s = kNow - 3 * kDay;
  keys.list.expires_s = kNow + 3 * kDay;
  const std::int64_t from = kNow - kDay, to = kNow + kDay;
  EXPECT_TRUE(check(from - 300));
  expect_error(check(from - 301), Code::kUnavailable, "not yet valid");
  EXPECT_TRUE(check(to + 300));
  expect_error(check(to + 301), Code::kExpired, "expired at");
}

TEST_F(TrustOf, ARevokedDeviceStaysOutUnderEveryEpoch) {
  keys.list.entries = {{node.open.id(), Revocation::kRevoked}};
  expect_error(check(), Code::kRefused, "is revoked (revocation list 1)");
  Certificate later = keys.certificate_of(node);
  later.epoch = 1'000'000;
  certificate = issue(later, keys.issuer);
  expect_error(check(), Code::kRefused, "is revoked");
}

TEST_F(TrustOf, ADeviceIsRevokedThroughItsRotatedKeys) {
  Certificate rotated = keys.certificate_of(node);
  rotated.device = NodeId{99};
  certificate = issue(rotated, keys.issuer);
  EXPECT_TRUE(check());
  keys.list.entries = {{NodeId{99}, Revocation::kRevoked}};
  expect_error(check(), Code::kRefused, "is revoked");
}

TEST_F(TrustOf, AReplacedEpochIsRefusedAndTheNextIsNot) {
  keys.list.entries = {{node.open.id(), 2}};
  expect_error(check(), Code::kRefused, "was replaced: it is of epoch 1, epoch 2 is in use");
  Certificate next = keys.certificate_of(node);
  next.epoch = 2;
  certificate = issue(next, keys.issuer);
  EXPECT_TRUE(check());
}

TEST_F(TrustOf, AnotherIssuersCertificateIsRefused) {
  const Identity stranger = Identity::generate();
  Certificate made_up = keys.certificate_of(node);
  made_up.issuer = stranger.open.signing;
  certificate = issue(made_up, stranger);
  expect_error(check(), Code::kRefused, "wrong issuer");
}

TEST_F(TrustOf, ACoordinatorCannotMintANode) {
  const Identity coordinator = Identity::generate();
  Certificate made_up = keys.certificate_of(node);
  made_up.issuer = coordinator.open.signing;
  certificate = issue(made_up, coordinator);
  expect_error(check(), Code::kRefused, "wrong issuer");
  // Not even by putting its own certificate among the issuers.
  const Bytes own = issue(keys.certificate_of(coordinator, Role::kCoordinator), keys.issuer);
  RevocationList list = keys.list;
  list.issuer = coordinator.open.signing;
  expect_error(open_trust(keys.root.open.signing,
                          make_bundle(keys.root.open.signing, {own}, issue(list, coordinator))),
               Code::kRefused, "another root signed");
}

TEST_F(TrustOf, AnotherRoleIsRefused) {
  expect_error(check_certificate(keys.trust(), certificate, Role::kCoordinator, kNow),
               Code::kRefused, "does not make it a coordinator");
  Certificate powerless = keys.certificate_of(node);
  powerless.capabilities = 0;
  certificate = issue(powerless, keys.issuer);
  expect_error(check(), Code::kRefused, "does not make it a node");
}

TEST_F(TrustOf, AnExpiredListBelievesNobody) {
  keys.list.expires_s = kNow - 301;
  expect_error(check(), Code::kExpired, "revocation list 1 expired");
  keys.list.expires_s = kNow - 300;
  EXPECT_TRUE(check());
  keys.list.issued_s = kNow + 301;
  keys.list.expires_s = kNow + kDay;
  expect_error(check(), Code::kUnavailable, "revocation list 1 is not yet valid");
}

TEST_F(TrustOf, AnotherRootsBundleIsRefused) {
  const AuthorityKeys other;
  expect_error(open_trust(keys.root.open.signing, other.bundle()), Code::kRefused, "another root");
  expect_error(open_trust(root_digest(keys.root.open.signing), other.bundle()), Code::kRefused,
               "another root");
  EXPECT_EQ(open_trust(root_digest(other.root.open.signing), other.bundle()).value().root,
            other.root.open.signing);
}

TEST_F(TrustOf, ABundleIsRefusedWithAnyOneBitOfAByteFlipped) {
  keys.list.entries = {{NodeId{1}, 2}, {NodeId{5}, Revocation::kRevoked}};
  const Bytes whole = keys.bundle();
  for (std::size_t i = 0; i < whole.size(); ++i) {
    Bytes changed = whole;
    changed[i] = static_cast<std::uint8_t>(changed[i] ^ 1 << i % 8);
    EXPECT_FALSE(open_trust(keys.root.open.signing, changed)) << "byte " << i;
  }
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_FALSE(open_trust(keys.root.open.signing, ByteView(whole).first(size))) << size;
}

TEST_F(TrustOf, ListsOutOfOrderAreRefusedThoughSigned) {
  RevocationList list = keys.list;
  list.entries = {{NodeId{1}, 2}, {NodeId{2}, 2}};
  Bytes bytes = issue(list, keys.issuer);
  EXPECT_EQ(read_revocations(bytes).value(), list);
  EXPECT_EQ(list.least_epoch(NodeId{2}), 2u);
  EXPECT_EQ(list.least_epoch(NodeId{3}), 0u);
  list.expires_s = list.issued_s - 1;
  expect_error(read_revocations(issue(list, keys.issuer)), Code::kBadInput, "out of order");
}

TEST_F(TrustOf, AReplacedIssuerIsBelievedUntilItIsRevokedAndCannotOutbidItsHeir) {
  const Identity heir = Identity::generate();
  const std::vector<Bytes> issuers{issue(keys.issuer_certificate(keys.issuer, 1), keys.root),
                                   issue(keys.issuer_certificate(heir, 2), keys.root)};
  RevocationList list = keys.list;
  list.serial = 2;
  expect_error(open_trust(keys.root.open.signing,
                          make_bundle(keys.root.open.signing, issuers, issue(list, keys.issuer))),
               Code::kRefused, "not of the issuer in office");
  list.issuer = heir.open.signing;
  auto trust = open_trust(keys.root.open.signing,
                          make_bundle(keys.root.open.signing, issuers, issue(list, heir)));
  ASSERT_TRUE(trust) << what(trust);
  EXPECT_TRUE(check_certificate(*trust, certificate, Role::kNode, kNow));
  keys.list.serial = 1'000'000;
  EXPECT_LT(keys.trust().serial(), trust->serial());

  list.entries = {{keys.issuer.open.id(), Revocation::kRevoked}};
  trust = open_trust(keys.root.open.signing,
                     make_bundle(keys.root.open.signing, issuers, issue(list, heir)));
  expect_error(check_certificate(*trust, certificate, Role::kNode, kNow), Code::kRefused,
               "certificate of issuer");
}

TEST_F(TrustOf, AnExpiredIssuerTakesItsCertificatesAlong) {
  keys.list.expires_s = kNow + 400 * kDay;
  Certificate longer = keys.certificate_of(node);
  longer.not_after_s = kNow + 300 * kDay;
  certificate = issue(longer, keys.issuer);
  EXPECT_TRUE(check(kNow + 99 * kDay));
  expect_error(check(kNow + 101 * kDay), Code::kExpired, "certificate of issuer");
}

}  // namespace
}  // namespace freshet
