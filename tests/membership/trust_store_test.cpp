#include "membership/trust_store.h"

#include "membership/files.h"
#include "tests/membership/fleet.h"

namespace freshet::membership {
namespace {

struct Store : testing::Test {
  std::shared_ptr<TrustStore> open() {
    auto opened = TrustStore::open(temp.path(), signer.root.open.signing);
    EXPECT_TRUE(opened) << opened.error().what;
    return *opened;
  }
  void write(const Bytes& bundle) {
    ASSERT_TRUE(write_file_durably(temp / kBundleName, bundle, 0600));
  }
  TempFolder temp;
  Signer signer;
};

TEST_F(Store, NeverGoesBackNotOverARestartEither) {
  write(signer.bundle(5));
  auto store = open();
  EXPECT_FALSE(store->take(signer.bundle(5)).value()) << "the same";
  EXPECT_TRUE(store->take(signer.bundle(8)).value());
  const auto old = store->take(signer.bundle(7));
  ASSERT_FALSE(old);
  EXPECT_EQ(old.error().code, Code::kRefused);
  EXPECT_NE(old.error().what.find("an old revocation list: 7"), std::string::npos);
  store = open();
  EXPECT_EQ(store->revocations(), 8u);
  EXPECT_FALSE(store->take(signer.bundle(7)));
  EXPECT_EQ(store->bundle(), signer.bundle(8));
}

TEST_F(Store, TakesNothingOfAnotherRootOrThatWasChanged) {
  write(signer.bundle(1));
  const auto store = open();
  EXPECT_FALSE(store->take(Signer().bundle(9)));
  Bytes changed = signer.bundle(9);
  changed[changed.size() / 2] ^= 1;
  EXPECT_FALSE(store->take(changed));
  EXPECT_EQ(store->revocations(), 1u);
}

TEST_F(Store, IsCorruptWithoutAGoodFile) {
  for (const Bytes& bytes : {Bytes{}, Signer().bundle(1)}) {
    write(bytes);
    const auto opened = TrustStore::open(temp.path(), signer.root.open.signing);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, Code::kCorrupt);
  }
}

TEST_F(Store, ATrustThatWasHandedOutStaysAsItIs) {
  write(signer.bundle(1));
  const auto store = open();
  const auto before = store->trust();
  ASSERT_TRUE(store->take(signer.bundle(2)));
  EXPECT_EQ(before->revocations.serial, 1u);
}

}  // namespace
}  // namespace freshet::membership
