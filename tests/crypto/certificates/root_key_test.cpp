#include "crypto/certificates/root_key.h"

#include <sys/stat.h>

#include "tests/crypto/certificates/authority_keys.h"
#include "tests/temp_folder.h"

namespace freshet {
namespace {

class RootKey : public testing::Test {
 protected:
  static Secret phrase(std::string_view text) { return Secret::copy_of(as_bytes(text)); }

  TempFolder temp_;
  Path file_ = temp_ / "root.key";
  Secret right_ = phrase("correct horse battery staple");
};

TEST_F(RootKey, OpensWithItsPassphraseAlone) {
  const auto made = make_root(file_, right_, PassphraseCost::kTest);
  ASSERT_TRUE(made) << what(made);
  struct stat info {};
  ASSERT_EQ(::stat(file_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600u);
  const auto opened = open_root(file_, right_);
  ASSERT_TRUE(opened) << what(opened);
  EXPECT_EQ(opened->open.signing, *made);
  EXPECT_TRUE(verify(*made, "test", as_bytes("x"), sign(*opened, "test", as_bytes("x"))));
  expect_error(open_root(file_, phrase("correct horse battery stapl")), Code::kRefused,
               "passphrase is wrong");
}

TEST_F(RootKey, IsMadeOnceAndNeverUnderAShortPassphrase) {
  expect_error(make_root(file_, phrase("1234567"), PassphraseCost::kTest), Code::kRefused,
               "at least 8");
  EXPECT_FALSE(std::filesystem::exists(file_));
  ASSERT_TRUE(make_root(file_, right_, PassphraseCost::kTest));
  expect_error(make_root(file_, right_, PassphraseCost::kTest), Code::kRefused, "there already");
}

TEST_F(RootKey, HoldsNoSecretInTheClear) {
  ASSERT_TRUE(make_root(file_, right_, PassphraseCost::kTest));
  const auto opened = open_root(file_, right_);
  const std::string content = read_file(file_, 4096).value();
  EXPECT_EQ(content.find(as_text(opened->signing.view().first(12))), std::string::npos);
}

TEST_F(RootKey, IsRefusedWithAnyByteChangedOrOpenToOthers) {
  ASSERT_TRUE(make_root(file_, right_, PassphraseCost::kTest));
  const std::string whole = read_file(file_, 4096).value();
  for (std::size_t i = 0; i < whole.size(); ++i) {
    std::string changed = whole;
    // Low bits: a cost that takes a second for every byte would make this a slow test.
    changed[i] = static_cast<char>(changed[i] ^ 1);
    ASSERT_TRUE(write_file_durably(file_, as_bytes(changed), 0600));
    const auto opened = open_root(file_, right_);
    ASSERT_FALSE(opened) << "byte " << i;
    EXPECT_TRUE(opened.error().code == Code::kRefused || opened.error().code == Code::kCorrupt);
  }
  ASSERT_TRUE(write_file_durably(file_, as_bytes(whole), 0600));
  EXPECT_TRUE(open_root(file_, right_));
  ASSERT_EQ(::chmod(file_.c_str(), 0640), 0);
  expect_error(open_root(file_, right_), Code::kRefused, "open to other users");
  expect_error(open_root(temp_ / "none", right_), Code::kBadInput, "not there");
}

}  // namespace
}  // namespace freshet
