#pragma once
// The processes that the demo starts. All of them, and what they start in turn, are one process
// group that is led by a guard: it holds one end of a pipe and kills the whole group when the other
// end closes, so nothing outlives the demo, whatever ends it. Make it before any thread.

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/result.h"

namespace freshet::demo {

class Fleet {
 public:
  // Programs run in `folder`.
  static Result<std::unique_ptr<Fleet>> make(Path folder);
  ~Fleet();  // stop()

  // Starts words[0] with the rest as its arguments; what it prints goes to `log`.
  Result<void> start(const std::string& name, const std::vector<std::string>& words,
                     const Path& log);

  // The same with its standard output as a pipe, for the caller to read.
  Result<UniqueFd> start_piped(const std::string& name, const std::vector<std::string>& words,
                               const Path& log);

  struct Ended {
    std::string name;
    int status;  // as of waitpid
    Path log;
  };
  // A process that ended since the last call, if there is one. Never blocks.
  std::optional<Ended> next_ended();
  std::size_t running() const { return children_.size(); }

  // Bytes resident in all processes of the group and in this one.
  std::size_t resident_bytes() const;

  // SIGTERM, a moment to end well, then SIGKILL to whatever is left. A second call does nothing.
  void stop();

 private:
  struct Child {
    std::string name;
    pid_t pid;
    Path log;
  };
  Fleet(Path folder, pid_t guard, UniqueFd lifeline)
      : folder_(std::move(folder)), guard_(guard), lifeline_(std::move(lifeline)) {}
  Result<void> spawn(const std::string& name, const std::vector<std::string>& words,
                     const Path& log, int output);

  Path folder_;
  pid_t guard_;  // also the group's id
  UniqueFd lifeline_;
  std::vector<Child> children_;
};

// "node-3 ended with exit code 3; the last lines of its log (logs/node-3.log): ...", with the Code
// that its exit code means.
Error error_of(const Fleet::Ended& ended);

// The last `lines` lines of a file; empty if it cannot be read.
std::string tail(const Path& file, std::size_t lines);

}  // namespace freshet::demo
