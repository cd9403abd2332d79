#pragma once
// A verb in a process of its own, which is the test program itself started with --verb: so it can
// be interrupted and killed.

#include <fcntl.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "base/check.h"
#include "base/files.h"
#include "base/json.h"

namespace freshet {

using Words = std::vector<std::string>;

struct Ran {
  int code = -1;
  std::string out, errors;
  Json json() const { return parse_json(out, "output").value(); }
};

class Process {
 public:
  explicit Process(const Words& words, rlim_t file_bytes_max = RLIM_INFINITY,
                   rlim_t address_bytes_max = RLIM_INFINITY) {
    int out[2], errors[2];
    CHECK(::pipe2(out, O_CLOEXEC) == 0 && ::pipe2(errors, O_CLOEXEC) == 0);
    Words all = {"test_finetune", "--verb"};
    all.insert(all.end(), words.begin(), words.end());
    std::vector<char*> arguments;
    for (std::string& word : all) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(out[1], 1);
      ::dup2(errors[1], 2);
      if (file_bytes_max != RLIM_INFINITY) {
        const rlimit limit{file_bytes_max, file_bytes_max};
        ::setrlimit(RLIMIT_FSIZE, &limit);
        ::signal(SIGXFSZ, SIG_IGN);
      }
      if (address_bytes_max != RLIM_INFINITY) {
        const rlimit limit{address_bytes_max, address_bytes_max};
        ::setrlimit(RLIMIT_AS, &limit);
      }
      ::execv("/proc/self/exe", arguments.data());
      ::_exit(127);
    }
    ::close(out[1]);
    ::close(errors[1]);
    out_ = UniqueFd(out[0]);
    errors_ = UniqueFd(errors[0]);
  }
  void send(int signal) const { ::kill(pid_, signal); }
  Ran wait() {
    Ran ran;
    ran.out = read_all(out_.get(), "output", 1 << 24).value_or("");
    ran.errors = read_all(errors_.get(), "errors", 1 << 24).value_or("");
    int status = 0;
    ::waitpid(pid_, &status, 0);
    ran.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return ran;
  }

 private:
  pid_t pid_;
  UniqueFd out_, errors_;
};

inline Ran run(const Words& words) { return Process(words).wait(); }

// Returns when a file of this name has been put in place so many times; the folder is watched
// before the process starts.
class Arrivals {
 public:
  explicit Arrivals(const Path& folder) : fd_(::inotify_init1(IN_CLOEXEC)) {
    CHECK(fd_ && ::inotify_add_watch(fd_.get(), folder.c_str(), IN_MOVED_TO) >= 0);
  }
  void wait(const std::string& name, int times) const {
    alignas(inotify_event) char buffer[4096];
    while (times > 0) {
      const ssize_t got = ::read(fd_.get(), buffer, sizeof buffer);
      CHECK(got > 0);
      for (const char* at = buffer; at < buffer + got;) {
        const auto* event = reinterpret_cast<const inotify_event*>(at);
        if (name == event->name) --times;
        at += sizeof(inotify_event) + event->len;
      }
    }
  }

 private:
  UniqueFd fd_;
};

}  // namespace freshet
