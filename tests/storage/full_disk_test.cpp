// A full disk, as a file system of one MiB where we may mount one, and as a limit on file size
// where we may not.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include "base/limits.h"
#include "crypto/digest.h"
#include "storage/blob_store.h"
#include "storage/rocksdb_journal.h"
#include "tests/storage/journals.h"
#include "tests/storage/own_process.h"
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

TEST(Own, DISABLED_FindsTheDiskFullInTheMiddleOfABlob) {
  ::signal(SIGXFSZ, SIG_IGN);
  const rlimit limit{limits::kMiB, limits::kMiB};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  BlobStore store = BlobStore::open(own_folder()).value();
  const Bytes chunk(limits::kChunkBytes);
  const Digest digest = digest_of(as_bytes("x"));
  for (std::uint64_t at = 0; at < limits::kMiB; at += chunk.size())
    ASSERT_TRUE(store.stage(digest, 2 * limits::kMiB, at, chunk));
  const auto refused = store.stage(digest, 2 * limits::kMiB, limits::kMiB, chunk);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kNoSpace) << refused.error().what;
  EXPECT_EQ(store.staged_bytes(digest, 2 * limits::kMiB).value(), limits::kMiB)
      << "what was staged before stays";
  EXPECT_TRUE(store.put(chunk));
}

TEST(FileSizeLimit, IsAFullDiskToABlob) {
  const TempFolder temp;
  EXPECT_EQ(status_of(start_own("FindsTheDiskFullInTheMiddleOfABlob", temp / "blobs")), 0);
}

}  // namespace
}  // namespace freshet
