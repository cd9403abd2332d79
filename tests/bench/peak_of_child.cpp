#include "tests/bench/peak_of_child.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

namespace freshet {
namespace {

long peak_kib() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

[[noreturn]] void be_child(const std::function<Result<void>()>& work, int answer) {
  const long before = peak_kib();
  const Result<void> done = work();
  if (!done) std::fprintf(stderr, "%s\n", done.error().what.c_str());
  const long kib = peak_kib() - before;
  const bool told = done && ::write(answer, &kib, sizeof kib) == sizeof kib;
  ::_exit(told ? 0 : 1);  // nothing of the parent's is torn down or flushed here
}

}  // namespace

Result<long> peak_kib_of_child(const std::function<Result<void>()>& work, int seconds_max) {
  int ends[2];
  if (::pipe(ends) != 0) return fail(Code::kUnavailable, "no pipe to a child");
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(ends[0]);
    be_child(work, ends[1]);
  }
  ::close(ends[1]);  // or its end is never seen
  long kib = 0;
  pollfd answer{ends[0], POLLIN, 0};
  const int heard = child < 0 ? -1 : ::poll(&answer, 1, seconds_max * 1000);
  const bool told = heard > 0 && ::read(ends[0], &kib, sizeof kib) == sizeof kib;
  ::close(ends[0]);
  if (child < 0) return fail(Code::kUnavailable, "no child could be started");
  if (!told) ::kill(child, SIGKILL);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (told) return kib;
  return fail(Code::kUnavailable,
              heard == 0 ? fmt::format("the child took more than {} s and was killed", seconds_max)
                         : fmt::format("the child ended without an answer (status {:#x})", status));
}

}  // namespace freshet
