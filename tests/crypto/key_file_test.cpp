#include "crypto/key_file.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vector>

#include "tests/temp_folder.h"

namespace freshet {
namespace {

class KeyFile : public testing::Test {
 protected:
  void SetUp() override { ::unsetenv("FRESHET_SEAL_KEY"); }
  void TearDown() override { ::unsetenv("FRESHET_SEAL_KEY"); }

  static mode_t mode_of(const Path& path) {
    struct stat info {};
    EXPECT_EQ(::stat(path.c_str(), &info), 0) << path;
    return info.st_mode & 07777;
  }
  static std::string content_of(const Path& path) { return read_file(path, 4096).value(); }

  TempFolder temp_;
  Path folder_ = temp_ / "state";
};

TEST_F(KeyFile, IsMadeOnFirstUseAndReadsBackTheSame) {
  const KeyRing made = load_or_make_keys(folder_).value();
  const KeyRing read = load_or_make_keys(folder_).value();
  EXPECT_EQ(read.identity.open, made.identity.open);
  EXPECT_EQ(to_bytes(read.storage.view()), to_bytes(made.storage.view()));
  EXPECT_EQ(to_bytes(read.identity.signing.view()), to_bytes(made.identity.signing.view()));
  EXPECT_EQ(to_bytes(read.identity.transport.view()), to_bytes(made.identity.transport.view()));
  EXPECT_EQ(to_bytes(read.identity.sealing.view()), to_bytes(made.identity.sealing.view()));
  EXPECT_EQ(read.storage.view().size(), 32u);
  EXPECT_EQ(mode_of(folder_), 0700u);
  EXPECT_EQ(mode_of(folder_ / "identity.key"), 0600u);
  EXPECT_EQ(mode_of(folder_ / "seal.key"), 0600u);
}

TEST_F(KeyFile, HoldsNoSecretInTheClear) {
  const KeyRing ring = load_or_make_keys(folder_).value();
  const std::string file = content_of(folder_ / "identity.key");
  for (const Secret* secret :
       {&ring.identity.signing, &ring.identity.transport, &ring.identity.sealing, &ring.storage})
    EXPECT_EQ(file.find(as_text(secret->view().first(12))), std::string::npos);
  EXPECT_NE(content_of(folder_ / "seal.key"), std::string(as_text(ring.storage.view())));
}

TEST_F(KeyFile, IsRefusedWhenOthersMayReadIt) {
  ASSERT_TRUE(load_or_make_keys(folder_));
  for (const char* name : {"identity.key", "seal.key"}) {
    for (mode_t mode : {0640u, 0604u, 0620u, 0666u}) {
      ASSERT_EQ(::chmod((folder_ / name).c_str(), mode), 0);
      const auto refused = load_or_make_keys(folder_);
      ASSERT_FALSE(refused) << name << " " << mode;
      EXPECT_EQ(refused.error().code, Code::kRefused);
      EXPECT_NE(refused.error().what.find("chmod 600"), std::string::npos) << refused.error().what;
    }
    ASSERT_EQ(::chmod((folder_ / name).c_str(), 0400), 0);
    EXPECT_TRUE(load_or_make_keys(folder_)) << "read-only is fine";
  }
  ASSERT_EQ(::chmod(folder_.c_str(), 0777), 0);
  EXPECT_EQ(load_or_make_keys(folder_).error().code, Code::kRefused);
}

TEST_F(KeyFile, IsCorruptWhenAByteOfItChanged) {
  ASSERT_TRUE(load_or_make_keys(folder_));
  const std::string whole = content_of(folder_ / "identity.key");
  const auto code_with = [&](const std::string& content) {
    EXPECT_TRUE(write_file_durably(folder_ / "identity.key", as_bytes(content), 0600));
    const auto loaded = load_or_make_keys(folder_);
    return loaded ? std::optional<Code>() : loaded.error().code;
  };
  for (std::size_t i = 0; i < whole.size(); i += 13) {
    std::string changed = whole;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_EQ(code_with(changed), Code::kCorrupt) << "byte " << i;
  }
  EXPECT_EQ(code_with(""), Code::kCorrupt);
  EXPECT_EQ(code_with(whole.substr(0, whole.size() - 1)), Code::kCorrupt);
  EXPECT_EQ(code_with(whole + "x"), Code::kCorrupt);
  EXPECT_EQ(code_with(std::string(100'000, 'x')), Code::kCorrupt);
  EXPECT_EQ(code_with(whole), std::nullopt);
}

TEST_F(KeyFile, NeverMakesANewSealKeyBesideAnOldIdentity) {
  ASSERT_TRUE(load_or_make_keys(folder_));
  ASSERT_TRUE(std::filesystem::remove(folder_ / "seal.key"));
  EXPECT_EQ(load_or_make_keys(folder_).error().code, Code::kCorrupt);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "seal.key"));
  ASSERT_TRUE(write_file_durably(folder_ / "seal.key", Bytes(31), 0600));
  EXPECT_EQ(load_or_make_keys(folder_).error().code, Code::kCorrupt);
  ASSERT_TRUE(write_file_durably(folder_ / "seal.key", Bytes(32), 0600));
  EXPECT_EQ(load_or_make_keys(folder_).error().code, Code::kCorrupt)
      << "another seal key does not open it";
}

TEST_F(KeyFile, TakesItsSealKeyFromTheFileThatTheEnvironmentNames) {
  const Path elsewhere = temp_ / "stick.key";
  ::setenv("FRESHET_SEAL_KEY", elsewhere.c_str(), 1);
  const KeyRing made = load_or_make_keys(folder_).value();
  EXPECT_FALSE(std::filesystem::exists(folder_ / "seal.key"));
  EXPECT_EQ(load_or_make_keys(folder_).value().identity.open, made.identity.open);
  std::filesystem::rename(elsewhere, temp_ / "away.key");
  const auto missing = load_or_make_keys(folder_);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Code::kUnavailable);
  EXPECT_NE(missing.error().what.find("stick.key"), std::string::npos);
}

// Starts at once must agree on one identity, and none may read a half-written file.
TEST_F(KeyFile, IsOneIdentityForManyStartsAtOnce) {
  constexpr int kStarts = 12;
  int results[2], gate[2];
  ASSERT_EQ(::pipe(results), 0);
  ASSERT_EQ(::pipe(gate), 0);
  std::vector<pid_t> children;
  for (int i = 0; i < kStarts; ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      char go = 0;
      ::close(gate[1]);
      [[maybe_unused]] const ssize_t opened = ::read(gate[0], &go, 1);  // ends when the gate closes
      const auto ring = load_or_make_keys(folder_);
      if (!ring) ::_exit(1);
      const auto& key = ring->identity.open.signing.bytes;
      ::_exit(::write(results[1], key.data(), key.size()) == 32 ? 0 : 2);
    }
    children.push_back(child);
  }
  ::close(gate[0]);
  ::close(gate[1]);
  ::close(results[1]);
  for (pid_t child : children) {
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  const std::string keys = read_all(results[0], "the pipe", 4096).value();
  ::close(results[0]);
  ASSERT_EQ(keys.size(), 32u * kStarts);
  for (int i = 1; i < kStarts; ++i)
    EXPECT_EQ(keys.substr(0, 32), keys.substr(32 * static_cast<std::size_t>(i), 32));
}

TEST_F(KeyFile, RotatesToTheSameNextKeysHoweverOftenItIsCutOff) {
  const KeyRing before = load_or_make_keys(folder_).value();
  const KeyRing next = prepare_next_keys(folder_).value();
  EXPECT_NE(next.identity.open.signing, before.identity.open.signing);
  EXPECT_NE(next.identity.open.transport, before.identity.open.transport);
  EXPECT_NE(next.identity.open.sealing, before.identity.open.sealing);
  EXPECT_EQ(prepare_next_keys(folder_).value().identity.open, next.identity.open);
  EXPECT_EQ(load_or_make_keys(folder_).value().identity.open, before.identity.open);
  ASSERT_TRUE(use_next_keys(folder_));
  const KeyRing after = load_or_make_keys(folder_).value();
  EXPECT_EQ(after.identity.open, next.identity.open);
  EXPECT_EQ(to_bytes(after.storage.view()), to_bytes(before.storage.view()));
  EXPECT_FALSE(use_next_keys(folder_)) << "there is no next one any more";
}

TEST_F(KeyFile, IsRefusedWhereTheFolderCannotBeMade) {
  ASSERT_TRUE(write_file_durably(temp_ / "file", {}, 0600));
  EXPECT_FALSE(load_or_make_keys(temp_ / "file"));
  EXPECT_FALSE(load_or_make_keys(temp_ / "file" / "below"));
}

}  // namespace
}  // namespace freshet
