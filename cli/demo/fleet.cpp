#include "cli/demo/fleet.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <fstream>

#include "base/exit_code.h"
#include "base/limits.h"

namespace freshet::demo {
namespace {

constexpr int kStopPatienceMs = 3000, kStopStepMs = 20;

// The guard: nothing but read(2), until the demo is gone.
[[noreturn]] void guard(int lifeline) {
  setpgid(0, 0);
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, nullptr);
  char byte;
  while (read(lifeline, &byte, 1) < 0 && errno == EINTR) {
  }
  kill(0, SIGKILL);
  _exit(0);
}

// In the child, between fork and exec: only calls that are safe there.
[[noreturn]] void become(char* const* words, const char* folder, pid_t group, int output,
                         int errors, pid_t parent) {
  setpgid(0, group);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  int input = open("/dev/null", O_RDONLY);
  if (input < 0 || dup2(input, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0 ||
      dup2(errors, STDERR_FILENO) < 0 || chdir(folder) != 0)
    _exit(127);
  execv(words[0], words);
  _exit(127);
}

// Field `field` (from 1) of a /proc/PID/stat line, counted after the program's name.
long stat_field(const std::string& line, int field) {
  std::size_t at = line.rfind(')');
  for (int i = 2; i < field && at != std::string::npos; ++i) at = line.find(' ', at + 1);
  return at == std::string::npos ? 0 : std::strtol(line.c_str() + at, nullptr, 10);
}

}  // namespace

Result<std::unique_ptr<Fleet>> Fleet::make(Path folder) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0)
    return tl::unexpected(errno_error("cannot make a pipe for", folder));
  UniqueFd read_end(ends[0]), write_end(ends[1]);
  pid_t pid = fork();
  if (pid < 0) return tl::unexpected(errno_error("cannot start a process for", folder));
  if (pid == 0) {
    write_end.reset();
    guard(read_end.get());
  }
  setpgid(pid, pid);  // here too: the first child may come before the guard has run
  return std::unique_ptr<Fleet>(new Fleet(std::move(folder), pid, std::move(write_end)));
}

Fleet::~Fleet() { stop(); }

Result<void> Fleet::spawn(const std::string& name, const std::vector<std::string>& words,
                          const Path& log, int output) {
  UniqueFd errors(open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  if (!errors) return tl::unexpected(errno_error("cannot write", log));
  std::vector<std::string> copies = words;
  std::vector<char*> pointers;
  for (std::string& word : copies) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  pid_t parent = getpid(), pid = fork();
  if (pid < 0) return tl::unexpected(errno_error("cannot start", words[0]));
  if (pid == 0)
    become(pointers.data(), folder_.c_str(), guard_, output < 0 ? errors.get() : output,
           errors.get(), parent);
  setpgid(pid, guard_);
  children_.push_back({name, pid, log});
  return {};
}

Result<void> Fleet::start(const std::string& name, const std::vector<std::string>& words,
                          const Path& log) {
  return spawn(name, words, log, -1);
}

Result<UniqueFd> Fleet::start_piped(const std::string& name, const std::vector<std::string>& words,
                                    const Path& log) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0)
    return tl::unexpected(errno_error("cannot make a pipe for", words[0]));
  UniqueFd read_end(ends[0]), write_end(ends[1]);
  TRY(spawn(name, words, log, write_end.get()));
  return read_end;
}

std::optional<Fleet::Ended> Fleet::next_ended() {
  for (auto child = children_.begin(); child != children_.end(); ++child) {
    int status = 0;
    if (waitpid(child->pid, &status, WNOHANG) != child->pid) continue;
    Ended ended{child->name, status, child->log};
    children_.erase(child);
    return ended;
  }
  return std::nullopt;
}

std::size_t Fleet::resident_bytes() const {
  std::size_t bytes = 0;
  std::size_t page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  std::error_code error;
  for (std::filesystem::directory_iterator entry("/proc", error), end; !error && entry != end;
       entry.increment(error)) {
    std::string name = entry->path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    std::ifstream file(entry->path() / "stat");
    std::string line;
    if (!std::getline(file, line)) continue;
    bool ours = stat_field(line, 5) == guard_ || std::to_string(getpid()) == name;
    if (ours) bytes += static_cast<std::size_t>(stat_field(line, 24)) * page;
  }
  return bytes;
}

void Fleet::stop() {
  if (!lifeline_) return;
  for (const Child& child : children_) kill(child.pid, SIGTERM);
  for (int waited = 0; !children_.empty() && waited < kStopPatienceMs; waited += kStopStepMs) {
    while (next_ended()) {
    }
    if (!children_.empty()) usleep(kStopStepMs * 1000);
  }
  lifeline_.reset();  // the guard kills what is left, and itself
  for (const Child& child : children_) waitpid(child.pid, nullptr, 0);
  children_.clear();
  waitpid(guard_, nullptr, 0);
}

std::string tail(const Path& file, std::size_t lines) {
  constexpr std::size_t kTailBytes = 8 * limits::kKiB;
  std::ifstream in(file, std::ios::binary | std::ios::ate);
  if (!in) return {};
  std::size_t size = static_cast<std::size_t>(in.tellg()),
              from = size > kTailBytes ? size - kTailBytes : 0;
  in.seekg(static_cast<std::streamoff>(from));
  std::string text(size - from, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  std::size_t at = text.size();
  for (std::size_t i = 0; i <= lines && at != std::string::npos && at > 0; ++i)
    at = text.rfind('\n', at - 1);
  return at == std::string::npos || at == 0 ? text : text.substr(at + 1);
}

Error error_of(const Fleet::Ended& ended) {
  std::string how;
  Code code = Code::kUnavailable;
  if (WIFSIGNALED(ended.status)) {
    how = fmt::format("was killed by signal {}", WTERMSIG(ended.status));
  } else {
    int exit = WEXITSTATUS(ended.status);
    how = exit == 0 ? "ended too early" : fmt::format("ended with exit code {}", exit);
    for (Code known :
         {Code::kBadInput, Code::kRefused, Code::kExpired, Code::kNoSpace, Code::kCorrupt})
      if (exit == static_cast<int>(exit_code_of(known))) code = known;
  }
  return {code, fmt::format("{} {}; everything was stopped. The last lines of {}:\n{}", ended.name,
                            how, ended.log.string(), tail(ended.log, 8))};
}

}  // namespace freshet::demo
