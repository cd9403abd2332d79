// The contract of Journal, for each of its two kinds.
#include "storage/journal.h"

#include <gtest/gtest.h>

#include <memory>

#include "storage/memory_journal.h"
#include "storage/rocksdb_journal.h"
#include "tests/storage/journals.h"
#include "tests/temp_folder.h"

namespace freshet {
namespace {

using Texts = std::vector<std::string>;

class RocksdbKind {
 public:
  Journal& journal() { return *journal_; }
  void reopen() {
    journal_.reset();
    journal_ = RocksdbJournal::open(temp_ / "journal").value();
  }

 private:
  TempFolder temp_;
  std::unique_ptr<RocksdbJournal> journal_ = RocksdbJournal::open(temp_ / "journal").value();
};

class MemoryKind {
 public:
  Journal& journal() { return journal_; }
  void reopen() { journal_.crash(); }

 private:
  MemoryJournal journal_;
};

template <class Kind>
class AnyJournal : public testing::Test {
 protected:
  Journal& journal() { return kind_.journal(); }
  void reopen() { kind_.reopen(); }
  std::uint64_t append(std::string_view text) { return journal().append(as_bytes(text)).value(); }

 private:
  Kind kind_;
};

using Kinds = testing::Types<RocksdbKind, MemoryKind>;
TYPED_TEST_SUITE(AnyJournal, Kinds);

TYPED_TEST(AnyJournal, IsEmptyAtFirst) {
  EXPECT_EQ(entries_from(this->journal(), 0), Texts{});
  EXPECT_FALSE(this->journal().latest_snapshot().value());
}

TYPED_TEST(AnyJournal, ReplaysWhatWasAppendedAcrossReopening) {
  Texts appended;
  for (int life = 0; life < 3; ++life) {
    for (int i = 0; i < 40; ++i) {
      appended.push_back(std::string(static_cast<std::size_t>(i * i), 'x') + std::to_string(i));
      EXPECT_EQ(this->append(appended.back()), appended.size() - 1);
    }
    EXPECT_EQ(entries_from(this->journal(), 0), appended);
    this->reopen();
    EXPECT_EQ(entries_from(this->journal(), 0), appended);
  }
  EXPECT_EQ(entries_from(this->journal(), 118), (Texts{appended[118], appended[119]}));
  EXPECT_EQ(entries_from(this->journal(), 120), Texts{});
}

TYPED_TEST(AnyJournal, KeepsOrderBeyondOneByteOfSequence) {
  for (int i = 0; i < 300; ++i) this->append(std::to_string(i));
  this->reopen();
  const Texts entries = entries_from(this->journal(), 0);
  ASSERT_EQ(entries.size(), 300u);
  for (std::size_t i = 0; i < entries.size(); ++i) EXPECT_EQ(entries[i], std::to_string(i));
}

TYPED_TEST(AnyJournal, KeepsEntriesOfAnyBytes) {
  const std::string zeros(5, '\0');
  this->append("");
  this->append(zeros);
  this->append("s");
  this->reopen();
  EXPECT_EQ(entries_from(this->journal(), 0), (Texts{"", zeros, "s"}));
}

TYPED_TEST(AnyJournal, SnapshotStandsForTheEntriesBeforeIt) {
  for (const char* text : {"a", "b", "c"}) this->append(text);
  ASSERT_TRUE(this->journal().write_snapshot(as_bytes("abc")));
  EXPECT_EQ(this->append("d"), 3u);
  this->reopen();
  const auto snapshot = this->journal().latest_snapshot().value();
  ASSERT_TRUE(snapshot);
  EXPECT_EQ(as_text(snapshot->state), "abc");
  EXPECT_EQ(snapshot->next_sequence, 3u);
  EXPECT_EQ(entries_from(this->journal(), 3), Texts{"d"});
  EXPECT_EQ(this->append("e"), 4u);

  ASSERT_TRUE(this->journal().write_snapshot(as_bytes("abcde")));
  this->reopen();
  EXPECT_EQ(as_text(this->journal().latest_snapshot().value()->state), "abcde");
  EXPECT_EQ(entries_from(this->journal(), 5), Texts{});
  EXPECT_EQ(this->append("f"), 5u) << "sequences go on where the snapshot ends";
}

TYPED_TEST(AnyJournal, ReplayOfEntriesThatASnapshotReplacedIsCorrupt) {
  for (const char* text : {"a", "b"}) this->append(text);
  ASSERT_TRUE(this->journal().write_snapshot({}));
  const auto replayed =
      this->journal().replay(1, [](std::uint64_t, ByteView) -> Result<void> { return {}; });
  ASSERT_FALSE(replayed);
  EXPECT_EQ(replayed.error().code, Code::kCorrupt);
}

TYPED_TEST(AnyJournal, ReplayStopsAtTheFirstErrorAndReturnsIt) {
  for (const char* text : {"a", "b", "c"}) this->append(text);
  int calls = 0;
  const auto replayed = this->journal().replay(0, [&](std::uint64_t, ByteView) -> Result<void> {
    if (++calls == 2) return fail(Code::kExpired, "enough");
    return {};
  });
  ASSERT_FALSE(replayed);
  EXPECT_EQ(replayed.error().what, "enough");
  EXPECT_EQ(calls, 2);
}

}  // namespace
}  // namespace freshet
