// A full disk, as a file system of one MiB where we may mount one, and as a limit on file size
// where we may not.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/limits.h"
#include "crypto/digest.h"
#include "storage/blob_store.h"
#include "storage/rocksdb_journal.h"
#include "tests/storage/journals.h"
#include "tests/temp_folder.h"

namespace freshet {
namespace {

class FullDisk : public testing::Test {
 protected:
  void SetUp() override {
    mounted_ = ::mount("freshet-test", temp_.path().c_str(), "tmpfs", 0, "size=4m") == 0;
    if (!mounted_) GTEST_SKIP() << "this user may not mount a small file system";
  }
  void TearDown() override {
    if (mounted_) ::umount2(temp_.path().c_str(), MNT_DETACH);
  }
  TempFolder temp_;
  bool mounted_ = false;
};

TEST_F(FullDisk, IsKnownAtTheFirstChunkOfABlob) {
  BlobStore store = BlobStore::open(temp_ / "blobs").value();
  const Bytes chunk(limits::kChunkBytes);
  const Digest digest = digest_of(as_bytes("a blob that cannot fit"));
  const auto refused = store.stage(digest, 8 * limits::kMiB, 0, chunk);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kNoSpace) << refused.error().what;
  EXPECT_NE(refused.error().what.find("free some space"), std::string::npos);
  EXPECT_TRUE(std::filesystem::is_empty(temp_ / "blobs" / "staging"))
      << "what was reserved is given back";
  const Bytes small(limits::kMiB);
  EXPECT_TRUE(store.put(small)) << "the store goes on with what fits";
  EXPECT_EQ(store.put(Bytes(8 * limits::kMiB)).error().code, Code::kNoSpace);
  EXPECT_TRUE(store.has(digest_of(small)));
}

TEST_F(FullDisk, LosesNoAcknowledgedJournalEntry) {
  std::uint64_t acknowledged = 0;
  {
    const auto journal = RocksdbJournal::open(temp_ / "journal").value();
    Result<std::uint64_t> last = 0;
    while (acknowledged < 2000 && (last = journal->append(Bytes(10'000, 7)))) ++acknowledged;
    ASSERT_FALSE(last);
    EXPECT_EQ(last.error().code, Code::kNoSpace) << last.error().what;
    EXPECT_FALSE(journal->append(Bytes{1})) << "nothing after a write that failed";
    EXPECT_FALSE(journal->write_snapshot(Bytes{1}));
  }
  EXPECT_GT(acknowledged, 50u);
  ASSERT_EQ(::mount("freshet-test", temp_.path().c_str(), "tmpfs", MS_REMOUNT, "size=32m"), 0);
  const auto opened = RocksdbJournal::open(temp_ / "journal");
  ASSERT_TRUE(opened) << opened.error().what;
  const auto entries = entries_from(**opened, 0);
  EXPECT_GE(entries.size(), acknowledged);
  for (const std::string& entry : entries) EXPECT_EQ(entry, std::string(10'000, 7));
  EXPECT_EQ((*opened)->append(Bytes{1}).value(), entries.size());
}

// Found in the middle of a blob: what was staged before stays.
TEST(FileSizeLimit, IsAFullDiskToABlob) {
  TempFolder temp;
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{limits::kMiB, limits::kMiB};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    auto store = BlobStore::open(temp / "blobs");
    if (!store) ::_exit(1);
    const Bytes chunk(limits::kChunkBytes);
    const Digest digest = digest_of(as_bytes("x"));
    for (std::uint64_t at = 0; at < limits::kMiB; at += chunk.size())
      if (!store->stage(digest, 2 * limits::kMiB, at, chunk)) ::_exit(2);
    const auto refused = store->stage(digest, 2 * limits::kMiB, limits::kMiB, chunk);
    if (refused || refused.error().code != Code::kNoSpace) ::_exit(3);
    if (store->staged_bytes(digest, 2 * limits::kMiB).value() != limits::kMiB) ::_exit(4);
    ::_exit(store->put(chunk) ? 0 : 5);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace freshet
