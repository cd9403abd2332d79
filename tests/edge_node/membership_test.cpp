#include "edge_node/membership.h"

#include "tests/crypto/certificates/authority_keys.h"
#include "tests/temp_folder.h"

namespace freshet {
namespace {

TEST(Membership, IsThereAgainAfterARestart) {
  TempFolder folder;
  const AuthorityKeys keys;
  const Identity node = Identity::generate();
  EXPECT_EQ(load_membership(folder.path(), node.open).value().has_value(), false);
  const Bytes certificate = issue(keys.certificate_of(node), keys.issuer);
  ASSERT_TRUE(save_membership(folder.path(), keys.root.open.signing, certificate, keys.bundle()));
  const auto membership = load_membership(folder.path(), node.open).value();
  ASSERT_TRUE(membership);
  EXPECT_EQ(membership->certificate, certificate);
  EXPECT_EQ(membership->trust, keys.trust());
}

TEST(Membership, OfOtherKeysIsNone) {
  TempFolder folder;
  const AuthorityKeys keys;
  const Identity node = Identity::generate(), other = Identity::generate();
  ASSERT_TRUE(save_membership(folder.path(), keys.root.open.signing,
                              issue(keys.certificate_of(other), keys.issuer), keys.bundle()));
  expect_error(load_membership(folder.path(), node.open), Code::kRefused, "freshet node join");
}

TEST(Membership, TrustOnlyGoesForward) {
  TempFolder folder;
  AuthorityKeys keys;
  const Identity node = Identity::generate();
  const Bytes old = keys.bundle();
  ASSERT_TRUE(save_membership(folder.path(), keys.root.open.signing,
                              issue(keys.certificate_of(node), keys.issuer), old));
  auto membership = load_membership(folder.path(), node.open).value();
  EXPECT_FALSE(renew_trust(*membership, folder.path(), old).value());
  keys.list.serial = 2;
  keys.list.entries.push_back({NodeId{77}, Revocation::kRevoked});
  EXPECT_TRUE(renew_trust(*membership, folder.path(), keys.bundle()).value());
  EXPECT_EQ(membership->trust.serial().list, 2u);
  EXPECT_FALSE(renew_trust(*membership, folder.path(), old).value());
  EXPECT_EQ(load_membership(folder.path(), node.open).value()->trust.serial().list, 2u);
  const AuthorityKeys strangers;
  EXPECT_FALSE(renew_trust(*membership, folder.path(), strangers.bundle()));
}

}  // namespace
}  // namespace freshet
