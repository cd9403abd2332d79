#include "tests/bench/daemon.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <sstream>
#include <utility>

#include "base/check.h"

namespace freshet {
namespace {

double kib_of(pid_t pid, std::string_view field) {
  const auto status = read_file(fmt::format("/proc/{}/status", pid), 1 << 16);
  const std::size_t at = status ? status->find(field) : std::string::npos;
  return at == std::string::npos ? 0 : std::atof(status->c_str() + at + field.size());
}

}  // namespace

Daemon::Daemon(const Path& program, std::vector<std::string> arguments, const Path& log,
               std::optional<int> cpu) {
  std::string path = program.string();
  std::vector<char*> words{path.data()};
  for (std::string& word : arguments) words.push_back(word.data());
  words.push_back(nullptr);
  const UniqueFd out(::open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  CHECK(bool(out), "cannot write {}", log.string());
  pid_ = ::fork();
  CHECK(pid_ >= 0);
  if (pid_ > 0) return;
  ::dup2(out.get(), 1);
  ::dup2(out.get(), 2);
  if (cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(static_cast<std::size_t>(*cpu), &set);
    ::sched_setaffinity(0, sizeof set, &set);
  }
  ::execv(path.c_str(), words.data());
  ::_exit(127);
}

Daemon::Daemon(Daemon&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), peak_kib_(other.peak_kib_) {}

Daemon::~Daemon() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

bool Daemon::look() {
  if (pid_ < 0) return false;
  peak_kib_ = std::max(peak_kib_, kib_of(pid_, "VmHWM:"));
  if (::waitpid(pid_, nullptr, WNOHANG) != pid_) return true;
  pid_ = -1;
  return false;
}

double Daemon::resident_mb() const { return kib_of(pid_, "VmRSS:") * 1024 / 1e6; }

double Daemon::processor_s() const {
  const auto stat = read_file(fmt::format("/proc/{}/stat", pid_), 1 << 12);
  if (!stat) return 0;
  std::istringstream fields(stat->substr(stat->rfind(')') + 2));
  std::string skipped;
  for (int i = 0; i < 11; ++i) fields >> skipped;  // utime is the 14th field, state the 3rd
  double user = 0, kernel = 0;
  fields >> user >> kernel;
  return (user + kernel) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

}  // namespace freshet
