#pragma once
// A program of ours as a bench runs it: its own process, its words in a file, its memory watched.
// Killed and reaped when this goes.

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/files.h"

namespace freshet {

class Daemon {
 public:
  // `cpu`: the one that it may run on; none: all.
  Daemon(const Path& program, std::vector<std::string> arguments, const Path& log,
         std::optional<int> cpu = {});
  Daemon(Daemon&& other) noexcept;
  Daemon& operator=(Daemon&&) = delete;
  ~Daemon();

  bool look();                                               // at its memory; false: it has ended
  double peak_mb() const { return peak_kib_ * 1024 / 1e6; }  // resident, as last looked at
  double resident_mb() const;                                // now
  double processor_s() const;                                // used so far

 private:
  pid_t pid_ = -1;
  double peak_kib_ = 0;
};

}  // namespace freshet
