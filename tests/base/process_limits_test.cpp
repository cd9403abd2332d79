#include "base/process_limits.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>
#include <vector>

namespace freshet {
namespace {

int exit_code_of(const std::function<int()>& body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body());
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

TEST(ProcessLimits, HoldAndLeaveTheHardOnes) {
  EXPECT_EQ(exit_code_of([] {
              rlimit before{};
              ::getrlimit(RLIMIT_NOFILE, &before);
              if (!limit_process({.open_files = 64, .memory_bytes = 512u << 20})) return 1;
              rlimit files{};
              ::getrlimit(RLIMIT_NOFILE, &files);
              if (files.rlim_cur != 64 || files.rlim_max != before.rlim_max) return 2;
              int opened = 0;
              while (opened < 100 && ::dup(0) >= 0) ++opened;
              if (opened >= 64) return 3;
#ifdef __SANITIZE_ADDRESS__  // its shadow alone is more
              return 0;
#else
              void* volatile large = std::malloc(std::size_t{1} << 30);
              return large == nullptr ? 0 : 4;
#endif
            }),
            0);
}

TEST(ProcessLimits, AreNeverRaised) {
  EXPECT_EQ(exit_code_of([] {
              if (!limit_process({.open_files = 32}) || !limit_process({.open_files = 64}))
                return 1;
              rlimit files{};
              ::getrlimit(RLIMIT_NOFILE, &files);
              return files.rlim_cur == 32 ? 0 : 2;
            }),
            0);
}

}  // namespace
}  // namespace freshet
