// A trainer process without a model: the service and the sandbox around a toy backend. Its argument
// chooses how it behaves; what it reports about itself comes as an error, the only reply that needs
// no request.

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <string_view>

#include "tests/trainer/toy_backend.h"
#include "trainer/sandbox.h"
#include "trainer/service.h"

namespace freshet {
namespace {

std::string variable(const char* name) {
  const char* value = ::getenv(name);
  return std::string(name) + "=" + (value == nullptr ? "none" : value) + " ";
}

std::string facts() {
  std::string text = "fds";
  for (int fd = 0; fd < 1024; ++fd)
    if (::fcntl(fd, F_GETFD) >= 0) text += " " + std::to_string(fd);
  text += "; ";
  for (const char* name :
       {"OMP_WAIT_POLICY", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "FRESHET_TEST_SECRET"})
    text += variable(name);
  rlimit core{};
  ::getrlimit(RLIMIT_CORE, &core);
  int on_death = 0;
  ::prctl(PR_GET_PDEATHSIG, &on_death);
  sigset_t blocked;
  ::sigprocmask(SIG_SETMASK, nullptr, &blocked);
  text += "core=" + std::to_string(core.rlim_cur) + " death=" + std::to_string(on_death);
  text += " own_group=" + std::to_string(::getpgid(0) == ::getpid());
  text += " term_blocked=" + std::to_string(sigismember(&blocked, SIGTERM));
  rlimit data{};
  ::getrlimit(RLIMIT_DATA, &data);
  if (data.rlim_max != RLIM_INFINITY) text += " data=" + std::to_string(data.rlim_cur >> 20);
  return text + " nice=" + std::to_string(::getpriority(PRIO_PROCESS, 0));
}

void send(TrainerReply reply) {
  const Result<TrainerFrame> frame = encode(std::move(reply));
  if (frame) (void)send_frame(kServiceFd, *frame, true);
}

int run(std::string_view behaviour) {
  if (behaviour == "leave") return 7;
  if (behaviour == "facts") send(Failed{{}, {Code::kBadInput, facts()}});
  if (behaviour == "babble") (void)send_frame(kServiceFd, {"garbage", {}}, true);
  if (behaviour == "answer_nobody") send(TextOpened{});
  if (behaviour == "answer_wrongly") send(Progress{});
  if (behaviour == "hang_up") ::close(kServiceFd);
  if (behaviour != "serve") {
    for (;;) ::pause();
  }
  const Result<Sandbox> sandbox = enter_sandbox();
  if (!sandbox) return 5;
  ManualClock clock;
  ToyBackend backend(clock);
  return serve(kServiceFd, backend, clock);
}

}  // namespace
}  // namespace freshet

int main(int count, char** arguments) {
  // No destructors at the end: a leak checker would want to look into the process, which the
  // sandbox forbids.
  ::_exit(freshet::run(count == 2 ? arguments[1] : "none"));
}
