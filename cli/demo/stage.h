#pragma once
// Where the demo's processes run: starts `freshet` verbs, exactly as a person would type them,
// waits without losing sight of Ctrl-C or of a process that died, and watches the memory of all of
// them.

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/stop_signal.h"
#include "cli/demo/fleet.h"

namespace freshet::demo {

class Stage {
 public:
  // Make it before any thread. `folder` is where verbs run and their logs go (logs/NAME.log).
  static Result<Stage> open(Path folder, const StopSignal& stop);

  // A verb that stays. Its end with exit code 0 is no accident if it `may_end`; any other end is an
  // error.
  struct Policy {
    bool may_end = false;
    int restarts_max = 0;
  };
  Result<void> start(const std::string& name, std::vector<std::string> words, Policy policy);

  // From now on, when it is killed by a signal, it is started again with `words`.
  void restart_with(const std::string& name, std::vector<std::string> words, int restarts_max);
  int restarts_of(const std::string& name) const;

  // A verb that answers and ends: its standard output. An exit code other than 0 is the error it
  // stands for.
  Result<std::string> ask(const std::string& name, std::vector<std::string> words);

  // Several of them, `together` at a time; answers in the order of the questions.
  Result<std::vector<std::string>> ask_all(const std::string& name,
                                           const std::vector<std::vector<std::string>>& questions,
                                           std::size_t together);

  // A verb whose lines are taken one by one until it ends. `between` is called after each wait, at
  // least four times a second.
  Result<void> follow(const std::string& name, std::vector<std::string> words,
                      const std::function<Result<void>(std::string_view)>& line,
                      const std::function<Result<void>()>& between);

  // Waits until `done`, at most `timeout_ms`; kExpired, naming `what`, after that.
  Result<void> wait_until(std::string_view what, int timeout_ms, const std::function<bool()>& done);

  Result<void> pause(int ms);

  // An error if Ctrl-C came or a process died that should not have.
  Result<void> check();

  bool is_running(const std::string& name) const {
    return verbs_.contains(name) && verbs_.at(name).running;
  }
  std::size_t memory_bytes_peak() const { return memory_peak_; }
  void measure_memory_from_now() { memory_peak_ = 0; }
  void stop() { fleet_->stop(); }

 private:
  struct Answer {
    std::string name;
    UniqueFd output;
    std::string text;
    bool closed = false;
  };
  Stage(Path folder, const StopSignal& stop, std::unique_ptr<Fleet> fleet);
  std::vector<std::string> command(std::vector<std::string> words) const;
  Path log_of(const std::string& name) const;
  Result<void> take(const Fleet::Ended& ended);
  Result<Answer> ask_later(const std::string& name, const std::string& log,
                           std::vector<std::string> words);
  Result<void> read_from(std::vector<Answer*> answers, int timeout_ms);
  Result<void> wait_for_end(const std::string& name);

  Path folder_, freshet_;
  const StopSignal* stop_;
  std::unique_ptr<Fleet> fleet_;
  struct Standing {
    std::vector<std::string> words;
    Policy policy;
    int restarts = 0;
    bool running = true;
  };
  std::map<std::string, Standing> verbs_;
  std::size_t memory_peak_ = 0;
  std::int64_t sampled_ms_ = 0;
};

std::string trimmed(std::string text);  // without what ends a line

}  // namespace freshet::demo
