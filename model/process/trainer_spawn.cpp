#include "model/process/trainer_spawn.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/ioprio.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.h"

extern char** environ;

namespace freshet {
namespace {

constexpr int kTrainerFd = 3;
constexpr int kLowestSpareFd = 10;

// What a library in the trainer may need to know. A secret in the daemon's environment stays there.
constexpr std::array<std::string_view, 21> kPassedOn{"PATH=",
                                                     "HOME=",
                                                     "LANG=",
                                                     "LC_",
                                                     "TZ=",
                                                     "TMPDIR=",
                                                     "TERM=",
                                                     "NO_COLOR=",
                                                     "LD_LIBRARY_PATH=",
                                                     "ASAN_OPTIONS=",
                                                     "UBSAN_OPTIONS=",
                                                     "LSAN_OPTIONS=",
                                                     "TSAN_OPTIONS=",
                                                     "ATEN_",
                                                     "DNNL_",
                                                     "ONEDNN_",
                                                     "OPENBLAS_CORETYPE=",
                                                     "CUDA_",
                                                     "NVIDIA_",
                                                     "GLIBC_TUNABLES=",
                                                     "FRESHET_LOG="};

std::vector<std::string> environment(int threads) {
  std::vector<std::string> result;
  for (char** each = environ; each != nullptr && *each != nullptr; ++each) {
    const std::string_view variable(*each);
    if (std::any_of(kPassedOn.begin(), kPassedOn.end(),
                    [&](auto name) { return variable.starts_with(name); }))
      result.emplace_back(variable);
  }
  // Threads that wait actively for one another on a busy machine cost a factor of twenty.
  result.emplace_back("OMP_WAIT_POLICY=passive");
  result.emplace_back(
      "GOMP_SPINCOUNT=2000");  // some microseconds: the next loop of a step mostly comes sooner
  result.emplace_back("OMP_NUM_THREADS=" + std::to_string(threads));
  result.emplace_back("OPENBLAS_NUM_THREADS=" + std::to_string(threads));
  return result;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> result;
  for (std::string& each : strings) result.push_back(each.data());
  result.push_back(nullptr);
  return result;
}

// All that the child needs, made before it exists: between fork and exec nothing may allocate.
struct Launch {
  const char* binary;
  char** arguments;
  char** environment;
  pid_t parent;
  int socket, null, report;  // report: gets errno if the program cannot be started
  int nice;
  bool idle_io;
  std::uint64_t memory_bytes_max;
};

void adjust_limits(const Launch& launch) {
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
  }
  rlimit memory{};  // the daemon's own is not the trainer's
  if (::getrlimit(RLIMIT_DATA, &memory) == 0) {
    if (launch.memory_bytes_max != 0)
      memory.rlim_max = std::min<rlim_t>(memory.rlim_max, launch.memory_bytes_max);
    memory.rlim_cur = memory.rlim_max;
    ::setrlimit(RLIMIT_DATA, &memory);
  }
  const int score = ::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (score >= 0) [[maybe_unused]]
    const ssize_t put = ::write(score, "500", 3);
  if (launch.nice > 0) [[maybe_unused]]
    const int level = ::nice(launch.nice);
  if (launch.idle_io)
    ::syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_PRIO_VALUE(IOPRIO_CLASS_IDLE, 0));
}

void adjust_signals() {
  struct sigaction ignore {
  }, normal{};
  ignore.sa_handler = SIG_IGN;
  normal.sa_handler = SIG_DFL;
  for (int number : {SIGPIPE, SIGTERM, SIGCHLD, SIGHUP}) ::sigaction(number, &normal, nullptr);
  for (int number : {SIGINT, SIGQUIT, SIGTTOU}) ::sigaction(number, &ignore, nullptr);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

bool adjust_descriptors(const Launch& launch) {
  if (::dup2(launch.null, 0) < 0 || ::dup2(launch.null, 1) < 0 ||
      ::dup2(launch.socket, kTrainerFd) < 0)
    return false;
  if (::close_range(kTrainerFd + 1, ~0U, CLOSE_RANGE_CLOEXEC) == 0) return true;
  for (int fd = kTrainerFd + 1; fd < 65536; ++fd)
    ::fcntl(fd, F_SETFD, FD_CLOEXEC);  // before Linux 5.11
  return true;
}

[[noreturn]] void run_child(const Launch& launch) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != launch.parent) ::_exit(0);  // it died before the line above
  ::setpgid(0, 0);
  adjust_limits(launch);
  adjust_signals();
  if (adjust_descriptors(launch)) ::execve(launch.binary, launch.arguments, launch.environment);
  const int number = errno;
  [[maybe_unused]] const ssize_t put = ::write(launch.report, &number, sizeof number);
  ::_exit(127);
}

// The same descriptor, out of the way of those that the child sets up.
Result<UniqueFd> moved_up(UniqueFd fd) {
  UniqueFd moved(::fcntl(fd.get(), F_DUPFD_CLOEXEC, kLowestSpareFd));
  if (!moved) return tl::unexpected(errno_error("cannot start", "the trainer"));
  return moved;
}

// 0 once the program runs, else why it does not.
int wait_for_start(const UniqueFd& report) {
  int number = 0;
  ssize_t got = 0;
  do got = ::read(report.get(), &number, sizeof number);
  while (got < 0 && errno == EINTR);
  return got == static_cast<ssize_t>(sizeof number) ? number : 0;
}

struct Channel {
  UniqueFd ours, childs;
};

Result<Channel> socket_channel() {
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
    return tl::unexpected(errno_error("cannot make", "the trainer's socket"));
  Channel channel{UniqueFd(pair[0]), UniqueFd(pair[1])};
  // The same on every machine: a few frames. What does not fit waits in the daemon.
  const int room = static_cast<int>(2 * limits::kTrainerHeaderBytesMax);
  for (int fd : pair) ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
  TRY_ASSIGN(channel.childs, moved_up(std::move(channel.childs)));
  return channel;
}

Result<Channel> pipe_channel() {
  int pair[2];
  if (::pipe2(pair, O_CLOEXEC) != 0) return tl::unexpected(errno_error("cannot make", "a pipe"));
  Channel channel{UniqueFd(pair[0]), UniqueFd(pair[1])};
  TRY_ASSIGN(channel.childs, moved_up(std::move(channel.childs)));
  return channel;
}

Error start_error(int number, const Path& binary) {
  errno = number;
  Error error = errno_error("cannot start the trainer", binary);
  if (number == ENOENT) error.what += " (build it, or install it in the folder of this program)";
  return error;
}

}  // namespace

Result<SpawnedTrainer> spawn_trainer(const TrainerOptions& options) {
  if (options.threads < 1 || options.threads > 1024 || options.nice < 0 || options.nice > 19)
    return fail(Code::kBadInput, "a trainer takes 1 to 1024 threads and a nice level of 0 to 19");
  const Path binary = options.binary.empty() ? binary_folder() / "freshet-trainer" : options.binary;
  std::vector<std::string> arguments{binary.string()}, variables = environment(options.threads);
  arguments.insert(arguments.end(), options.arguments.begin(), options.arguments.end());
  std::vector<char*> argv = pointers(arguments), envp = pointers(variables);

  TRY_ASSIGN(Channel socket, socket_channel());
  TRY_ASSIGN(Channel report, pipe_channel());
  UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null) return tl::unexpected(errno_error("cannot open", "/dev/null"));
  TRY_ASSIGN(null, moved_up(std::move(null)));

  const Launch launch{
      binary.c_str(), argv.data(),         envp.data(),  ::getpid(),      socket.childs.get(),
      null.get(),     report.childs.get(), options.nice, options.idle_io, options.memory_bytes_max};
  const pid_t pid = ::fork();
  if (pid < 0) {
    Error error = errno_error("cannot start the trainer", binary);
    error.code = Code::kUnavailable;
    return tl::unexpected(std::move(error));
  }
  if (pid == 0) run_child(launch);
  report.childs.reset();
  if (const int number = wait_for_start(report.ours); number != 0) {
    ::waitpid(pid, nullptr, 0);
    return tl::unexpected(start_error(number, binary));
  }
  return SpawnedTrainer{pid, std::move(socket.ours)};
}

}  // namespace freshet
