#include "tests/integration/programs.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

#include "base/check.h"

namespace freshet {
namespace {

// `streams`: which of 1 and 2 go to the pipe; its reading end comes back.
UniqueFd start(const std::string& program, const std::vector<std::string>& arguments,
               std::vector<int> streams, pid_t& pid) {
  const char* folder = ::getenv("FRESHET_BIN");
  std::string path = (folder == nullptr ? binary_folder() / "../bin" : Path(folder)) / program;
  std::vector<char*> words{path.data()};
  std::vector<std::string> copies = arguments;
  for (std::string& word : copies) words.push_back(word.data());
  words.push_back(nullptr);
  int out[2];
  CHECK(::pipe2(out, O_CLOEXEC) == 0);
  pid = ::fork();
  CHECK(pid >= 0);
  if (pid == 0) {
    for (int stream : streams) ::dup2(out[1], stream);
    ::execv(path.c_str(), words.data());
    ::_exit(127);
  }
  ::close(out[1]);
  return UniqueFd(out[0]);
}

int reap(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

Ran run_program(const std::string& program, const std::vector<std::string>& arguments) {
  pid_t pid = -1;
  const UniqueFd reading = start(program, arguments, {1, 2}, pid);
  Ran ran{0, read_all(reading.get(), "output", 1 << 20).value_or("")};
  ran.code = reap(pid);
  return ran;
}

Daemon::Daemon(const std::string& program, const std::vector<std::string>& arguments)
    : out_(start(program, arguments, {1}, pid_)) {}

Daemon::~Daemon() {
  if (pid_ > 0) kill();
}

std::string Daemon::line() {
  std::string text;
  char c = 0;
  while (::read(out_.get(), &c, 1) == 1 && c != '\n') text += c;
  return text;
}

int Daemon::stop() {
  ::kill(pid_, SIGTERM);
  return reap(std::exchange(pid_, -1));
}

void Daemon::kill() {
  ::kill(pid_, SIGKILL);
  reap(std::exchange(pid_, -1));
}

}  // namespace freshet
