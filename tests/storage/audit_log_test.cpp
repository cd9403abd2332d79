#include "storage/audit_log.h"

#include <gtest/gtest.h>

#include "base/json.h"
#include "tests/temp_folder.h"

namespace freshet {
namespace {

class AuditLogs : public testing::Test {
 protected:
  Result<AuditSummary> verify(const std::optional<Digest>& noted = {}) {
    seen_.clear();
    return verify_audit(folder_.path(), noted,
                        [&](const Json& entry) { seen_.push_back(entry.value("what", "")); });
  }
  AuditLog open(std::uint64_t bytes = limits::kRecordFileBytesMax) {
    return AuditLog::open(folder_.path(), bytes).value();
  }
  void overwrite(const char* name, std::size_t at, char with) {
    std::string text = read_file(folder_ / name, 1 << 20).value();
    text.at(at) = with;
    ASSERT_TRUE(write_file_durably(folder_ / name, as_bytes(text), 0600));
  }

  TempFolder folder_;
  std::vector<std::string> seen_;
};

using Whats = std::vector<std::string>;

TEST_F(AuditLogs, KeepWhoDecidedWhatInOrder) {
  {
    AuditLog log = open();
    ASSERT_TRUE(log.add("coordinator", "started", {{"endpoint", "tcp://0:1"}}));
    ASSERT_TRUE(log.add_entry("coordinator", "round-opened", {{"seed", 7}}, "c1", 4));
  }
  AuditLog log = open();
  EXPECT_EQ(log.last_entry("c1"), 4u);
  EXPECT_FALSE(log.last_entry("c2"));
  ASSERT_TRUE(log.add("user ann", "asked", {{"do", "stop"}}));
  const auto found = verify();
  ASSERT_TRUE(found) << found.error().what;
  EXPECT_EQ(found->entries, 3u);
  EXPECT_EQ(found->head, log.head());
  EXPECT_EQ(seen_, (Whats{"started", "round-opened", "asked"}));
}

TEST_F(AuditLogs, ShowAChangedEntry) {
  { ASSERT_TRUE(open().add("coordinator", "started", Json::object())); }
  const std::string text = read_file(folder_ / "audit.records", 1 << 20).value();
  overwrite("audit.records", text.find("started"), 'S');
  EXPECT_EQ(verify().error().code, Code::kCorrupt);
  EXPECT_EQ(AuditLog::open(folder_.path()).error().code, Code::kCorrupt);
}

TEST_F(AuditLogs, ShowACutOffEndToWhoeverNotedALaterHead) {
  Digest early{}, late{};
  std::string before;
  {
    AuditLog log = open();
    ASSERT_TRUE(log.add("coordinator", "one", Json::object()));
    early = log.head();
    before = read_file(folder_ / "audit.records", 1 << 20).value();
    ASSERT_TRUE(log.add("coordinator", "two", Json::object()));
    late = log.head();
  }
  EXPECT_TRUE(verify(early));
  EXPECT_TRUE(verify(late));
  ASSERT_TRUE(write_file_durably(folder_ / "audit.records", as_bytes(before), 0600));
  EXPECT_TRUE(verify());
  EXPECT_TRUE(verify(early));
  EXPECT_EQ(verify(late).error().code, Code::kCorrupt);
}

TEST_F(AuditLogs, GoOnInAnotherFileWhenOneIsFull) {
  constexpr std::uint64_t kSmall = 12 * 1024;
  const std::string why(1000, 'w');
  {
    AuditLog log = open(kSmall);
    ASSERT_TRUE(log.add_entry("coordinator", "early", Json::object(), "c1", 9));
    for (int i = 0; i < 12; ++i) ASSERT_TRUE(log.add("coordinator", "x", {{"why", why}}));
  }
  ASSERT_TRUE(std::filesystem::exists(folder_ / "audit-2.records"));
  EXPECT_EQ(open(kSmall).last_entry("c1"), 9u);
  const auto found = verify();
  ASSERT_TRUE(found) << found.error().what;
  EXPECT_EQ(std::count(seen_.begin(), seen_.end(), "x"), 12);

  std::filesystem::remove(folder_ / "audit-2.records");
  std::filesystem::rename(folder_ / "audit-1.records", folder_ / "kept");
  EXPECT_EQ(verify().error().code, Code::kCorrupt) << "the first files were left out";
}

TEST_F(AuditLogs, SayThatThereIsNone) { EXPECT_EQ(verify().error().code, Code::kBadInput); }

}  // namespace
}  // namespace freshet
