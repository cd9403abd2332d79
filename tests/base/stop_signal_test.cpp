#include "base/stop_signal.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

namespace freshet {
namespace {

// In a child of its own: the signals stay blocked for the rest of a process.
int outcome_of(int signal) {
  const pid_t child = ::fork();
  if (child == 0) {
    const auto stop = StopSignal::watch();
    if (!stop || stop->came()) ::_exit(1);
    ::raise(signal);
    pollfd item{stop->fd(), POLLIN, 0};
    if (::poll(&item, 1, 10'000) != 1 || !(item.revents & POLLIN)) ::_exit(2);
    ::_exit(stop->came() ? 0 : 3);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(StopSignal, IsReadableOnceInterruptedOrTerminated) {
  EXPECT_EQ(outcome_of(SIGINT), 0);
  EXPECT_EQ(outcome_of(SIGTERM), 0);
}

}  // namespace
}  // namespace freshet
