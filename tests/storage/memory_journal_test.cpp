#include "storage/memory_journal.h"

#include <gtest/gtest.h>

#include "tests/storage/journals.h"

namespace freshet {
namespace {

using Texts = std::vector<std::string>;
using Fault = MemoryJournal::Fault;

TEST(MemoryJournal, FailsTheWriteItWasToldToAndEveryOneAfterIt) {
  MemoryJournal journal;
  journal.fail_write(2, Fault::kLost);
  EXPECT_EQ(journal.append(as_bytes("a")).value(), 0u);
  const auto failed = journal.append(as_bytes("b"));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Code::kNoSpace);
  EXPECT_FALSE(journal.append(as_bytes("c")));
  EXPECT_FALSE(journal.write_snapshot(as_bytes("abc")));
  EXPECT_EQ(entries_from(journal, 0), Texts{"a"});
  journal.crash();
  EXPECT_EQ(journal.append(as_bytes("d")).value(), 1u);
  EXPECT_EQ(entries_from(journal, 0), (Texts{"a", "d"}));
}

TEST(MemoryJournal, MayKeepWhatItSaidHasFailed) {
  MemoryJournal journal;
  journal.fail_write(1, Fault::kKept);
  EXPECT_FALSE(journal.append(as_bytes("a")));
  EXPECT_FALSE(journal.append(as_bytes("b")));
  journal.crash();
  EXPECT_EQ(entries_from(journal, 0), Texts{"a"});
  EXPECT_EQ(journal.append(as_bytes("c")).value(), 1u);
}

TEST(MemoryJournal, LosesOrKeepsASnapshotAsAWhole) {
  for (const Fault fault : {Fault::kLost, Fault::kKept}) {
    MemoryJournal journal;
    ASSERT_TRUE(journal.append(as_bytes("a")));
    journal.fail_write(1, fault);
    EXPECT_FALSE(journal.write_snapshot(as_bytes("A")));
    journal.crash();
    const auto snapshot = journal.latest_snapshot().value();
    EXPECT_EQ(snapshot.has_value(), fault == Fault::kKept);
    EXPECT_EQ(entries_from(journal, snapshot ? snapshot->next_sequence : 0),
              snapshot ? Texts{} : Texts{"a"});
  }
}

}  // namespace
}  // namespace freshet
