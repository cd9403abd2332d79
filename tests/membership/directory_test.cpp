#include "membership/directory.h"

#include "membership/files.h"
#include "tests/membership/fleet.h"

namespace freshet::membership {
namespace {

struct Table : testing::Test {
  void SetUp() override {
    ASSERT_TRUE(write_file_durably(temp / kBundleName, signer.bundle(1), 0600));
    trust = TrustStore::open(temp.path(), signer.root.open.signing).value();
    open();
  }
  void open() { directory = Directory::open(temp.path(), trust).value(); }
  bool is_in(const Identity& node, std::int64_t now_s = kNow) const {
    for (const auto& entry : directory->standing(now_s))
      if (entry.certificate.keys == node.open) return true;
    return false;
  }
  TempFolder temp;
  Signer signer;
  std::shared_ptr<TrustStore> trust;
  std::shared_ptr<Directory> directory;
  Identity a = Identity::generate(), b = Identity::generate();
};

TEST_F(Table, HoldsWhoIsCertifiedAndKeepsThemOverARestart) {
  ASSERT_TRUE(directory->take({signer.certificate(a), signer.certificate(b)}));
  EXPECT_TRUE(is_in(a));
  EXPECT_EQ(directory->newest(), 2u);
  open();
  EXPECT_TRUE(is_in(a));
  EXPECT_TRUE(is_in(b));
  EXPECT_FALSE(is_in(Identity::generate()));
  EXPECT_EQ(directory->newest(), 2u);
}

TEST_F(Table, ShutsOutWhoIsRevokedAsSoonAsTheListSaysSo) {
  ASSERT_TRUE(directory->take({signer.certificate(a), signer.certificate(b)}));
  ASSERT_TRUE(trust->take(signer.bundle(2, {{a.open.id(), Revocation::kRevoked}})).value());
  EXPECT_FALSE(is_in(a));
  EXPECT_TRUE(is_in(b));
  EXPECT_EQ(directory->revoked(), std::vector{a.open.transport});
}

TEST_F(Table, ShutsOutEverybodyOnceTheListHasExpired) {
  ASSERT_TRUE(directory->take({signer.certificate(a)}));
  EXPECT_TRUE(is_in(a, kNow + 7 * kDay));
  EXPECT_FALSE(is_in(a, kNow + 8 * kDay));
}

TEST_F(Table, HasTheRotatedKeysOfADeviceAndNotTheOldOnes) {
  ASSERT_TRUE(directory->take({signer.certificate(a)}));
  ASSERT_TRUE(directory->take({signer.certificate(b, Role::kNode, 2, a.open.id())}));
  EXPECT_FALSE(is_in(a));
  EXPECT_TRUE(is_in(b));
  EXPECT_EQ(directory->revoked(), std::vector{a.open.transport}) << "whatever else lists them";
  open();
  EXPECT_FALSE(is_in(a));
  EXPECT_TRUE(is_in(b));
  EXPECT_EQ(directory->revoked(), std::vector{a.open.transport});
}

TEST_F(Table, KeysThatAreCertifiedAgainStay) {
  ASSERT_TRUE(directory->take({signer.certificate(a)}));
  ASSERT_TRUE(directory->take({signer.certificate(a, Role::kNode, 2)}));
  EXPECT_TRUE(is_in(a));
  EXPECT_TRUE(directory->revoked().empty());
}

TEST_F(Table, TakesNoCertificateOfAnotherIssuerOrRole) {
  Signer other;
  EXPECT_FALSE(directory->take({signer.certificate(a), other.certificate(b)}));
  EXPECT_FALSE(is_in(a)) << "all or nothing";
  EXPECT_FALSE(directory->take({signer.certificate(a, Role::kCoordinator)}));
  EXPECT_FALSE(directory->take({Bytes(kCertificateBytes)}));
  EXPECT_EQ(directory->size(), 0u);
}

TEST_F(Table, AsksAgainForWhatAWriteThatWasCutOffLost) {
  ASSERT_TRUE(directory->take({signer.certificate(a), signer.certificate(b)}));
  const Path file = temp / "directory.certificates";
  std::filesystem::resize_file(file, kCertificateBytes + 100);
  open();
  EXPECT_TRUE(is_in(a));
  EXPECT_FALSE(is_in(b));
  EXPECT_EQ(directory->newest(), 1u);
  ASSERT_TRUE(directory->take({signer.certificate(b)}));
  open();
  EXPECT_TRUE(is_in(b));
}

}  // namespace
}  // namespace freshet::membership
