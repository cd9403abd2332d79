#pragma once
// A test as a process of its own, started anew: RocksDB has threads, and a mere fork would carry
// over their locks without them. The test is named Own.DISABLED_..., and finds its folder in FOLDER
// and its pipe in PIPE.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "base/files.h"

namespace freshet {

// Nobody notices a program that runs no test.
inline bool is_own_test(const std::string& test) {
  const testing::UnitTest& all = *testing::UnitTest::GetInstance();
  for (int suite = 0; suite < all.total_test_suite_count(); ++suite) {
    const testing::TestSuite& tests = *all.GetTestSuite(suite);
    for (int i = 0; i < tests.total_test_count(); ++i)
      if (std::string("Own") == tests.name() && "DISABLED_" + test == tests.GetTestInfo(i)->name())
        return true;
  }
  return false;
}

inline pid_t start_own(const std::string& test, const Path& folder, int pipe = -1) {
  const std::string filter = "--gtest_filter=Own.DISABLED_" + test;
  EXPECT_TRUE(is_own_test(test)) << test;
  ::setenv("FOLDER", folder.c_str(), 1);
  ::setenv("PIPE", std::to_string(pipe).c_str(), 1);
  const char* const arguments[] = {"test", filter.c_str(), "--gtest_also_run_disabled_tests",
                                   "--gtest_brief=1", nullptr};
  const pid_t child = ::fork();
  if (child == 0) {
    ::execv("/proc/self/exe", const_cast<char* const*>(arguments));
    ::_exit(127);
  }
  return child;
}

inline Path own_folder() {
  const char* folder = ::getenv("FOLDER");
  EXPECT_NE(folder, nullptr) << "this test is started by another one";
  return folder ? folder : "";
}

inline int own_pipe() {
  const char* pipe = ::getenv("PIPE");
  return pipe ? std::stoi(pipe) : -1;
}

inline int status_of(pid_t child) {
  int status = -1;
  ::waitpid(child, &status, 0);
  return status;
}

}  // namespace freshet
