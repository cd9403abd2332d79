#include "storage/record_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "tests/temp_folder.h"

namespace freshet {
namespace {

class RecordFiles : public testing::Test {
 protected:
  Result<std::vector<std::string>> contents(std::string_view kind = "kind") {
    std::vector<std::string> found;
    TRY(read_records(path(), kind, collect(found)));
    return found;
  }
  static EachRecord collect(std::vector<std::string>& found) {
    return [&found](ByteView record) -> Result<void> {
      found.emplace_back(as_text(record));
      return {};
    };
  }
  Result<RecordFile> open(std::string_view kind = "kind") {
    opened_.clear();
    return RecordFile::open(path(), kind, collect(opened_));
  }
  void write(std::initializer_list<std::string_view> records) {
    RecordFile file = open().value();
    for (const std::string_view record : records) ASSERT_TRUE(file.append(as_bytes(record)));
  }
  std::string bytes() { return read_file(path(), 1 << 20).value(); }
  void overwrite(const std::string& text) {
    ASSERT_TRUE(write_file_durably(path(), as_bytes(text), 0600));
  }
  Path path() const { return folder_ / "ledger"; }

  TempFolder folder_;
  std::vector<std::string> opened_;
};

using Texts = std::vector<std::string>;

TEST_F(RecordFiles, KeepWhatWasAppended) {
  write({"one", "two"});
  EXPECT_EQ(*contents(), (Texts{"one", "two"}));
  write({"three"});
  EXPECT_EQ(opened_, (Texts{"one", "two"}));
  EXPECT_EQ(*contents(), (Texts{"one", "two", "three"}));
  struct stat info {};
  ASSERT_EQ(::stat(path().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(RecordFiles, AreOfOneProcessAtATime) {
  RecordFile file = open().value();
  ASSERT_TRUE(file.append(as_bytes("one")));
  EXPECT_EQ(open().error().code, Code::kUnavailable);
  EXPECT_EQ(*contents(), Texts{"one"});  // reading disturbs nobody
}

TEST_F(RecordFiles, SurviveTruncationAnywhereInTheLastRecord) {
  write({"one", "two"});
  const std::string two = bytes();
  write({"three"});
  const std::string three = bytes();
  for (std::size_t size = two.size(); size < three.size(); ++size) {
    overwrite(three.substr(0, size));
    EXPECT_EQ(*contents(), (Texts{"one", "two"})) << size;
    write({"four"});
    EXPECT_EQ(*contents(), (Texts{"one", "two", "four"})) << size;
  }
}

TEST_F(RecordFiles, SurviveATailThatWasNeverWritten) {
  write({"one"});
  overwrite(bytes() + std::string(5000, '\0'));
  write({"two"});
  EXPECT_EQ(*contents(), (Texts{"one", "two"}));
}

TEST_F(RecordFiles, ShowEveryFlippedBit) {
  write({"one", "two", "three"});
  const std::string whole = bytes();
  for (std::size_t i = 0; i < whole.size(); ++i) {
    std::string flipped = whole;
    flipped[i] = static_cast<char>(flipped[i] ^ 1);
    overwrite(flipped);
    const auto found = contents();
    ASSERT_FALSE(found) << "byte " << i;
    EXPECT_EQ(found.error().code, Code::kCorrupt) << "byte " << i;
  }
}

TEST_F(RecordFiles, ShowARecordThatIsGoneOrMoved) {
  write({"one", "two"});
  const std::string whole = bytes();
  const std::size_t head = 16, record = 8 + 32 + 3;
  overwrite(whole.substr(0, head) + whole.substr(head + record));
  EXPECT_EQ(contents().error().code, Code::kCorrupt);
  overwrite(whole.substr(0, head) + whole.substr(head + record) + whole.substr(head, record));
  EXPECT_EQ(open().error().code, Code::kCorrupt);
}

TEST_F(RecordFiles, AreOfOneKind) {
  write({"one"});
  EXPECT_EQ(open("other").error().code, Code::kCorrupt);
  overwrite("some text that is no such file");
  EXPECT_EQ(open().error().code, Code::kCorrupt);
  overwrite("");
  EXPECT_EQ(open().error().code, Code::kCorrupt);
  std::filesystem::remove(path());
  EXPECT_EQ(contents().error().code, Code::kBadInput);
}

TEST_F(RecordFiles, PassOnWhatTheirReaderSays) {
  write({"one"});
  const auto found = RecordFile::open(
      path(), "kind", [](ByteView) -> Result<void> { return fail(Code::kCorrupt, "not mine"); });
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().what, "not mine");
}

// In a process of its own: the limit on file size cannot be raised again.
TEST_F(RecordFiles, AreAsBeforeWhenTheDiskIsFull) {
  write({"one"});
  const auto size = static_cast<rlim_t>(bytes().size());
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    RecordFile file = open().value();
    const rlimit small{size + 40, size + 200};
    ::setrlimit(RLIMIT_FSIZE, &small);
    const bool refused = !file.append(as_bytes("a record that does not fit"));
    const rlimit enough{size + 200, size + 200};
    ::setrlimit(RLIMIT_FSIZE, &enough);
    const bool goes_on = file.append(as_bytes("two")).has_value();
    ::_exit(refused && goes_on ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(*contents(), (Texts{"one", "two"}));
}

}  // namespace
}  // namespace freshet
