#include "storage/rocksdb_journal.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "tests/storage/journals.h"
#include "tests/storage/own_process.h"
#include "tests/temp_folder.h"

namespace freshet {
namespace {

using Texts = std::vector<std::string>;

TEST(Own, DISABLED_FindsTheJournalInUse) {
  const auto second = RocksdbJournal::open(own_folder());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kUnavailable);
  EXPECT_NE(second.error().what.find("another coordinator uses this folder"), std::string::npos);
}

TEST(Own, DISABLED_WritesUntilItIsKilled) {
  const auto journal = RocksdbJournal::open(own_folder()).value();
  for (;;) {
    const auto sequence = journal->append(as_bytes("entry " + std::string(2000, 'x')));
    ASSERT_TRUE(sequence);
    ASSERT_EQ(::write(own_pipe(), &*sequence, sizeof *sequence),
              static_cast<ssize_t>(sizeof *sequence));
    if (*sequence % 50 == 49) {
      ASSERT_TRUE(journal->write_snapshot(as_bytes("state")));
    }
  }
}

class RocksdbJournalTest : public testing::Test {
 protected:
  std::unique_ptr<RocksdbJournal> open() { return RocksdbJournal::open(folder_).value(); }
  // The write-ahead log that holds bytes.
  Path log_file() const {
    Path found;
    for (const auto& file : std::filesystem::directory_iterator(folder_))
      if (file.path().extension() == ".log" && file.file_size() > 0) found = file.path();
    return found;
  }

  TempFolder temp_;
  Path folder_ = temp_ / "deep" / "journal";
};

TEST_F(RocksdbJournalTest, IsForOneAtATime) {
  const auto first = open();
  const auto second = RocksdbJournal::open(folder_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kUnavailable);
  EXPECT_NE(second.error().what.find("another coordinator uses this folder"), std::string::npos);
}

TEST_F(RocksdbJournalTest, IsForOneProcessAtATime) {
  const auto first = open();
  EXPECT_EQ(status_of(start_own("FindsTheJournalInUse", folder_)), 0);
}

// A writer that is killed at any moment leaves every entry it was told is durable, whole and in
// order.
TEST_F(RocksdbJournalTest, KeepsEveryAcknowledgedEntryOfAWriterKilledAtAnyMoment) {
  std::uint64_t expected = 0;
  for (int life = 0; life < 6; ++life) {
    int acknowledged[2];
    ASSERT_EQ(::pipe(acknowledged), 0);
    const pid_t child = start_own("WritesUntilItIsKilled", folder_, acknowledged[1]);
    ::close(acknowledged[1]);
    std::uint64_t sequence = 0;
    const std::uint64_t until = expected + 20 + static_cast<std::uint64_t>(life) * 7;
    while (sequence < until &&
           ::read(acknowledged[0], &sequence, sizeof sequence) == sizeof sequence) {
    }
    ASSERT_EQ(sequence, until);
    ASSERT_EQ(::kill(child, SIGKILL), 0);
    ASSERT_TRUE(WIFSIGNALED(status_of(child)));
    while (::read(acknowledged[0], &sequence, sizeof sequence) == sizeof sequence) {
    }
    ::close(acknowledged[0]);

    const auto journal = open();
    const auto snapshot = journal->latest_snapshot().value();
    const std::uint64_t first = snapshot ? snapshot->next_sequence : 0;
    const Texts entries = entries_from(*journal, first);
    EXPECT_GE(first + entries.size(), sequence + 1);
    for (const std::string& entry : entries) EXPECT_EQ(entry.size(), 2006u);
    expected = first + entries.size();
  }
}

TEST_F(RocksdbJournalTest, IsCorruptWhenAByteInTheMiddleChanged) {
  {
    const auto journal = open();
    for (int i = 0; i < 50; ++i)
      ASSERT_TRUE(journal->append(as_bytes("entry " + std::string(500, 'x'))));
  }
  const Path log = log_file();
  ASSERT_FALSE(log.empty());
  std::fstream file(log, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(9000);
  file.put('!');
  file.close();
  const auto opened = RocksdbJournal::open(folder_);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Code::kCorrupt) << opened.error().what;
  EXPECT_NE(opened.error().what.find("backup"), std::string::npos);
}

TEST_F(RocksdbJournalTest, GoesOnAfterATornLastRecord) {
  {
    const auto journal = open();
    for (int i = 0; i < 50; ++i)
      ASSERT_TRUE(journal->append(as_bytes("entry " + std::string(500, 'x'))));
  }
  const Path log = log_file();
  std::filesystem::resize_file(log, std::filesystem::file_size(log) - 100);
  const auto journal = open();
  EXPECT_EQ(entries_from(*journal, 0).size(), 49u);
  EXPECT_EQ(journal->append(as_bytes("next")).value(), 49u);
}

TEST_F(RocksdbJournalTest, SaysWhereItMayNotWrite) {
  ASSERT_TRUE(make_folders(folder_.parent_path()));
  ASSERT_TRUE(write_file_durably(folder_, as_bytes("a file in its place")));
  EXPECT_FALSE(RocksdbJournal::open(folder_));
}

TEST_F(RocksdbJournalTest, KeepsAFewSmallFiles) {
  {
    const auto journal = open();
    for (int round = 0; round < 40; ++round) {
      for (int i = 0; i < 5; ++i) ASSERT_TRUE(journal->append(Bytes(10'000)));
      ASSERT_TRUE(journal->write_snapshot(Bytes(100'000)));
    }
  }
  open();
  std::uintmax_t bytes = 0;
  for (const auto& file : std::filesystem::directory_iterator(folder_)) bytes += file.file_size();
  EXPECT_LT(bytes, 16u << 20);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "LOG")) << "no log of its own";
}

}  // namespace
}  // namespace freshet
