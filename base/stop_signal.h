#pragma once
// SIGINT and SIGTERM as a descriptor that a loop can wait on. Make it before any thread: the
// signals are blocked in all of them.

#include "base/files.h"

namespace freshet {

class StopSignal {
 public:
  static Result<StopSignal> watch();
  int fd() const { return fd_.get(); }  // readable once a signal came
  bool came() const;

 private:
  explicit StopSignal(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

}  // namespace freshet
