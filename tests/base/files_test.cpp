#include "base/files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/temp_folder.h"

namespace freshet {
namespace {

mode_t mode_of(const Path& path) {
  struct stat info {};
  EXPECT_EQ(::stat(path.c_str(), &info), 0) << path;
  return info.st_mode & 07777;
}

// Runs `body` in a child; its exit code comes back, or -1 when a signal ended it.
template <class Body>
int in_child(Body body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body());
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

class Files : public testing::Test {
 protected:
  std::size_t files_there() const {
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& file : std::filesystem::directory_iterator(temp_.path()))
      ++count;
    return count;
  }
  TempFolder temp_;
};

TEST_F(Files, DurableWriteReplacesTheWholeFileAndLeavesNothingElse) {
  const Path path = temp_ / "plan";
  ASSERT_TRUE(write_file_durably(path, as_bytes("first, and longer"), 0600));
  EXPECT_EQ(mode_of(path), 0600u);
  ASSERT_TRUE(write_file_durably(path, as_bytes("second"), 0600));
  EXPECT_EQ(read_file(path, 100).value(), "second");
  ASSERT_TRUE(write_file_durably(path, {}));
  EXPECT_EQ(read_file(path, 0).value(), "");
  EXPECT_EQ(files_there(), 1u);
}

TEST_F(Files, DurableWriteTakesNoModeFromALeftover) {
  const Path path = temp_ / "secret";
  const Path leftover = path.string() + ".tmp" + std::to_string(::getpid());
  ASSERT_TRUE(write_file_durably(leftover, as_bytes("old"), 0644));
  ASSERT_TRUE(write_file_durably(path, as_bytes("new"), 0600));
  EXPECT_EQ(mode_of(path), 0600u);
  EXPECT_EQ(files_there(), 1u);
}

TEST_F(Files, DurableWriteOntoAFullDiskKeepsTheOldContent) {
  const Path path = temp_ / "plan";
  ASSERT_TRUE(write_file_durably(path, as_bytes("old")));
  EXPECT_EQ(in_child([&] {
              ::signal(SIGXFSZ, SIG_IGN);
              const rlimit limit{1000, 1000};
              ::setrlimit(RLIMIT_FSIZE, &limit);
              const auto written = write_file_durably(path, Bytes(5000));
              return !written && written.error().code == Code::kNoSpace ? 0 : 1;
            }),
            0);
  EXPECT_EQ(read_file(path, 100).value(), "old");
  EXPECT_EQ(files_there(), 1u);
}

TEST_F(Files, AFullDeviceIsNoSpace) {
  const UniqueFd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  if (!full) GTEST_SKIP() << "no /dev/full here";
  const auto written = write_all(full.get(), as_bytes("x"), "/dev/full");
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, Code::kNoSpace);
  EXPECT_NE(written.error().what.find("free some space"), std::string::npos);
}

TEST_F(Files, PermissionIsRefusedAndAbsenceIsBadInput) {
  const Path path = temp_ / "private";
  ASSERT_TRUE(write_file_durably(path, as_bytes("x"), 0000));
  ASSERT_EQ(::chmod(temp_.path().c_str(), 0755), 0);
  EXPECT_EQ(in_child([&] {
              if (::geteuid() == 0 && ::setuid(65534) != 0) return 2;
              const auto read = read_file(path, 100);
              if (read || read.error().code != Code::kRefused) return 3;
              return read.error().what.find("private") != std::string::npos ? 0 : 4;
            }),
            0);
  const auto missing = read_file(temp_ / "missing", 100);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Code::kBadInput);
  EXPECT_NE(missing.error().what.find("missing"), std::string::npos);
  EXPECT_FALSE(read_file(temp_.path(), 100)) << "a folder";
}

TEST_F(Files, ReadStopsAtItsBound) {
  const Path path = temp_ / "large";
  ASSERT_TRUE(write_file_durably(path, Bytes(200'000)));
  EXPECT_EQ(read_file(path, 200'000).value().size(), 200'000u);
  EXPECT_EQ(read_file(path, 199'999).error().code, Code::kBadInput);
  EXPECT_FALSE(read_file("/dev/zero", 1000)) << "what never ends";
}

TEST_F(Files, MappingShowsTheFileAndMoves) {
  ASSERT_TRUE(write_file_durably(temp_ / "a", as_bytes("some text")));
  ASSERT_TRUE(write_file_durably(temp_ / "empty", {}));
  MappedFile mapped = MappedFile::open(temp_ / "a").value();
  MappedFile other = std::move(mapped);
  EXPECT_TRUE(mapped.view().empty());
  EXPECT_EQ(as_text(other.view()), "some text");
  other = MappedFile::open(temp_ / "empty").value();
  EXPECT_TRUE(other.view().empty());
  EXPECT_EQ(MappedFile::open(temp_.path()).error().code, Code::kBadInput);
  EXPECT_FALSE(MappedFile::open(temp_ / "missing"));
}

TEST_F(Files, FoldersAreMadeWithTheModeOfTheLastOne) {
  ASSERT_TRUE(make_folders(temp_ / "a" / "b" / "c", 0700));
  EXPECT_EQ(mode_of(temp_ / "a" / "b" / "c"), 0700u);
  EXPECT_TRUE(make_folders(temp_ / "a" / "b" / "c", 0700)) << "again";
  ASSERT_TRUE(make_folders((temp_ / "state").string() + "/", 0700));
  EXPECT_EQ(mode_of(temp_ / "state"), 0700u) << "with a slash at the end";
  ASSERT_TRUE(write_file_durably(temp_ / "file", {}));
  EXPECT_FALSE(make_folders(temp_ / "file")) << "a file in its place";
  EXPECT_FALSE(make_folders(temp_ / "file" / "below"));
  EXPECT_TRUE(make_folders("/"));
}

TEST_F(Files, AFolderIsLockedForOneProcess) {
  UniqueFd lock = lock_folder(temp_.path()).value();
  const auto second = [&] {
    const auto locked = lock_folder(temp_.path());
    return locked ? 0 : locked.error().code == Code::kUnavailable ? 1 : 2;
  };
  EXPECT_EQ(in_child(second), 1);
  lock.reset();
  EXPECT_EQ(in_child(second), 0);
}

TEST(UniqueFdTest, ClosesOnceAndMoves) {
  UniqueFd a(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  ASSERT_TRUE(a);
  const int number = a.get();
  UniqueFd b = std::move(a);
  EXPECT_FALSE(a);
  EXPECT_EQ(b.get(), number);
  b.reset();
  EXPECT_EQ(::fcntl(number, F_GETFD), -1) << "closed";
  UniqueFd c(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const int released = c.release();
  c.reset();
  EXPECT_NE(::fcntl(released, F_GETFD), -1) << "no longer ours";
  ::close(released);
}

TEST(BinaryFolder, HoldsTheRunningProgram) {
  EXPECT_TRUE(std::filesystem::exists(binary_folder() / "test_base"));
}

}  // namespace
}  // namespace freshet
