#include "base/stop_signal.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>

namespace freshet {

Result<StopSignal> StopSignal::watch() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  if (::sigprocmask(SIG_BLOCK, &signals, nullptr) != 0)
    return tl::unexpected(errno_error("cannot block", "signals"));
  ::signal(SIGPIPE, SIG_IGN);
  UniqueFd fd(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd) return tl::unexpected(errno_error("cannot watch", "signals"));
  return StopSignal(std::move(fd));
}

bool StopSignal::came() const {
  pollfd poll_fd{fd_.get(), POLLIN, 0};
  return ::poll(&poll_fd, 1, 0) > 0;
}

}  // namespace freshet
