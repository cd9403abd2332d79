#include "cli/demo/fleet.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/exit_code.h"
#include "cli/demo/workspace.h"

namespace freshet::demo {
namespace {

class InFolder : public ::testing::Test {
 protected:
  InFolder() {
    char name[] = "/tmp/freshet-fleet-XXXXXX";
    CHECK(mkdtemp(name) != nullptr);
    dir_ = name;
  }
  ~InFolder() override { std::filesystem::remove_all(dir_); }

  static Fleet::Ended wait_for_one(Fleet& fleet) {
    while (true)
      if (auto ended = fleet.next_ended()) return *ended;
  }

  Path dir_;
};
using FleetTest = InFolder;
using WorkspaceTest = InFolder;

TEST_F(FleetTest, GivesTheOutputOfAProgram) {
  auto fleet = Fleet::make(dir_).value();
  UniqueFd output =
      fleet->start_piped("pwd", {"/bin/sh", "-c", "pwd; echo problem >&2"}, dir_ / "log").value();
  EXPECT_EQ(read_all(output.get(), "pwd", 1000).value(), dir_.string() + "\n");
  EXPECT_EQ(wait_for_one(*fleet).status, 0);
  EXPECT_EQ(tail(dir_ / "log", 5), "problem\n");
}

TEST_F(FleetTest, SaysWhoEndedHowAndWhatItSaidLast) {
  auto fleet = Fleet::make(dir_).value();
  ASSERT_TRUE(fleet->start("node-3", {"/bin/sh", "-c", "echo first; echo no such text; exit 3"},
                           dir_ / "log"));
  Error error = error_of(wait_for_one(*fleet));
  EXPECT_EQ(error.code, Code::kBadInput);
  for (const char* part : {"node-3", "exit code 3", "no such text"})
    EXPECT_NE(error.what.find(part), std::string::npos) << part;
  ASSERT_TRUE(fleet->start("node-4", {"/bin/sh", "-c", "kill -SEGV $$"}, dir_ / "log"));
  error = error_of(wait_for_one(*fleet));
  EXPECT_EQ(error.code, Code::kUnavailable);
  EXPECT_NE(error.what.find("signal 11"), std::string::npos);
}

TEST_F(FleetTest, CountsTheMemoryOfAllProcesses) {
  auto fleet = Fleet::make(dir_).value();
  std::size_t before = fleet->resident_bytes();
  EXPECT_GT(before, 0u);
  UniqueFd output =
      fleet
          ->start_piped("cat", {"/bin/sh", "-c", "echo here; exec tail -f /dev/null"}, dir_ / "log")
          .value();
  char byte;
  ASSERT_EQ(read(output.get(), &byte, 1), 1);
  EXPECT_GT(fleet->resident_bytes(), before + 100'000);
}

// A process of the fleet and its own child, which ignores every polite request. Its pid comes
// through the pipe.
pid_t start_stubborn(Fleet& fleet, const Path& dir, UniqueFd& output) {
  output = fleet
               .start_piped("stubborn",
                            {"/bin/sh", "-c",
                             "(trap '' TERM INT HUP; echo $$; while :; do sleep 60; done) & wait"},
                            dir / "log")
               .value();
  std::string line;
  char byte = 0;
  while (read(output.get(), &byte, 1) == 1 && byte != '\n') line.push_back(byte);
  return std::stoi(line);
}

TEST_F(FleetTest, StopEndsEvenGrandchildren) {
  auto fleet = Fleet::make(dir_).value();
  UniqueFd output;
  start_stubborn(*fleet, dir_, output);
  fleet->stop();
  char byte;
  EXPECT_EQ(read(output.get(), &byte, 1), 0);  // ends only when nobody has the pipe any more
  EXPECT_EQ(fleet->running(), 0u);
}

TEST_F(FleetTest, NothingOutlivesAKilledDemo) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  pid_t demo = fork();
  if (demo == 0) {
    close(ends[0]);
    auto fleet = Fleet::make(dir_).value();
    UniqueFd output;
    start_stubborn(*fleet, dir_, output);
    kill(getpid(), SIGKILL);
  }
  close(ends[1]);
  int status = 0;
  ASSERT_EQ(waitpid(demo, &status, 0), demo);
  EXPECT_TRUE(WIFSIGNALED(status));
  char byte;
  EXPECT_EQ(read(ends[0], &byte, 1), 0);  // the fleet inherited the other end: all of it is gone
  close(ends[0]);
}

TEST_F(WorkspaceTest, DeletesOnlyWhatTheDemoMade) {
  Path folder = dir_ / "demo";
  {
    auto workspace = Workspace::open(folder);
    ASSERT_TRUE(workspace);
    ASSERT_TRUE(write_file_durably(folder / "old", as_bytes("x")));
    EXPECT_EQ(Workspace::open(folder).error().code, Code::kUnavailable);
  }
  ASSERT_TRUE(Workspace::open(folder));
  EXPECT_FALSE(std::filesystem::exists(folder / "old"));

  Path own = dir_ / "own";
  ASSERT_TRUE(make_folders(own));
  ASSERT_TRUE(write_file_durably(own / "thesis.txt", as_bytes("x")));
  EXPECT_EQ(Workspace::open(own).error().code, Code::kRefused);
  EXPECT_TRUE(std::filesystem::exists(own / "thesis.txt"));
  EXPECT_EQ(Workspace::open(own / "thesis.txt").error().code, Code::kBadInput);
}

}  // namespace
}  // namespace freshet::demo
