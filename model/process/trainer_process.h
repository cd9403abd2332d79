#pragma once
// The daemon's end of a trainer process: starts `freshet-trainer serve`, hands it requests and
// takes its replies without ever blocking. The trainer dies with this object and with the thread
// that started it. Its death, by memory shortage or otherwise, is an error that receive() gives
// once: start another one. Not for use by several threads at a time.

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/result.h"
#include "model/process/trainer_messages.h"

namespace freshet {

struct TrainerOptions {
  Path binary;  // empty: freshet-trainer beside the running binary
  std::vector<std::string> arguments{"serve"};
  int threads = 1;                     // OpenMP's and OpenBLAS's, set in the trainer's environment
  int nice = 0;                        // added to this process's own: [0, 19]
  bool idle_io = false;                // reads and writes only when nobody else does
  std::uint64_t memory_bytes_max = 0;  // that it writes to; mapped files do not count; 0: no limit
};

class TrainerProcess {
 public:
  // kBadInput where there is no such binary; kUnavailable where no process can be made.
  static Result<TrainerProcess> start(const TrainerOptions& options);

  // Readable whenever receive() has something to do (a reply, a death, room for a request that
  // waited).
  int fd() const;

  // Takes over the descriptors. Requests are worked on in order. kUnavailable: the trainer is over,
  // or limits::kTrainerRequestsMax requests wait already; kBadInput: the request itself, e.g. an id
  // in use.
  Result<void> submit(TrainerRequest request);

  // The next reply, or nothing now. An error says that the trainer is over and why, once; requests
  // not yet answered are lost with it. After that: nothing, for ever.
  Result<std::optional<TrainerReply>> receive();

  bool alive() const;
  std::size_t waiting() const;  // requests not yet answered
  pid_t pid() const;            // -1 once it is over

  // Stops it where it is, or lets it go on. Its memory stays.
  void pause(bool paused);

  // Ends it now. receive() then gives its one error.
  void kill();

  TrainerProcess(TrainerProcess&&) noexcept;
  TrainerProcess& operator=(TrainerProcess&&) noexcept;
  ~TrainerProcess();  // kills and reaps it

 private:
  struct State;
  explicit TrainerProcess(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace freshet
