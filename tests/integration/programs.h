#pragma once
// The programs that people type, as processes: run to their end, or started and stopped.

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/files.h"

namespace freshet {

struct Ran {
  int code;         // 128 + signal, where one killed it
  std::string out;  // both streams
};
Ran run_program(const std::string& program, const std::vector<std::string>& arguments);

// One that serves. Killed and reaped when this goes.
class Daemon {
 public:
  Daemon(const std::string& program, const std::vector<std::string>& arguments);
  Daemon(const Daemon&) = delete;
  ~Daemon();
  std::string line();  // the next of its standard output; empty: it ended before
  pid_t pid() const { return pid_; }
  int stop();          // SIGTERM; its exit code
  void kill();         // SIGKILL

 private:
  pid_t pid_ = -1;
  UniqueFd out_;
};

}  // namespace freshet
