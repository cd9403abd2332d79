#include "membership/files.h"

#include "crypto/key_file.h"
#include "membership/join.h"
#include "tests/membership/fleet.h"

namespace freshet::membership {
namespace {

struct Files : testing::Test {
  Membership of(const Identity& party) {
    return {Role::kNode,
            signer.root.open.signing,
            signer.issuer.open.transport,
            "tcp://a:1",
            "tcp://c:1",
            signer.certificate(party),
            {}};
  }
  TempFolder temp;
  Signer signer;
};

TEST_F(Files, ReadBackAsTheyWereSaved) {
  EXPECT_FALSE(load_membership(temp.path()).value()) << "never joined";
  Membership saved = of(Identity::generate());
  ASSERT_TRUE(save_membership(temp.path(), saved));
  auto read = load_membership(temp.path()).value();
  EXPECT_EQ(read->root, saved.root);
  EXPECT_EQ(read->authority, saved.authority);
  EXPECT_EQ(read->authority_at, saved.authority_at);
  EXPECT_EQ(read->coordinator_at, saved.coordinator_at);
  EXPECT_EQ(read->certificate, saved.certificate);
  EXPECT_TRUE(read->coordinator.empty());
  const Bytes coordinator = signer.certificate(Identity::generate(), Role::kCoordinator);
  ASSERT_TRUE(save_coordinator(temp.path(), coordinator));
  EXPECT_EQ(load_membership(temp.path()).value()->coordinator, coordinator);
}

TEST_F(Files, AreCorruptWhenOneIsGoneOrChanged) {
  ASSERT_TRUE(save_membership(temp.path(), of(Identity::generate())));
  ASSERT_TRUE(write_file_durably(temp / "certificate", as_bytes("nonsense"), 0600));
  EXPECT_EQ(load_membership(temp.path()).error().code, Code::kCorrupt);
  std::filesystem::remove(temp / "certificate");
  EXPECT_EQ(load_membership(temp.path()).error().code, Code::kCorrupt);
  ASSERT_TRUE(write_file_durably(temp / "membership.json", as_bytes("{}"), 0600));
  EXPECT_EQ(load_membership(temp.path()).error().code, Code::kCorrupt);
}

// Cut off between the certificate of the next keys and putting them into place.
TEST_F(Files, ARotationThatWasCutOffIsFinished) {
  const KeyRing before = load_or_make_keys(temp.path()).value();
  const KeyRing next = prepare_next_keys(temp.path()).value();
  ASSERT_TRUE(save_membership(temp.path(), of(before.identity)));
  ASSERT_TRUE(settle_rotation(temp.path()));
  EXPECT_EQ(load_or_make_keys(temp.path())->identity.open, before.identity.open)
      << "not certified yet";
  ASSERT_TRUE(save_membership(temp.path(), of(next.identity)));
  ASSERT_TRUE(settle_rotation(temp.path()));
  EXPECT_EQ(load_or_make_keys(temp.path())->identity.open, next.identity.open);
  ASSERT_TRUE(settle_rotation(temp.path()));
}

}  // namespace
}  // namespace freshet::membership
