#pragma once
// The trainer's side of the conversation with its daemon: takes requests from one socket, one at a
// time, gives each to the backend, and sends what comes back. Knows no tensors, so that it is
// tested with a toy backend.

#include <cstdint>
#include <functional>

#include "base/clock.h"
#include "base/result.h"
#include "model/process/trainer_messages.h"

namespace freshet {

// To be called as work goes on, as often as is handy: what is sent is limited to four messages a
// second.
using OnProgress = std::function<void(std::uint64_t done, std::uint64_t total)>;

// What a trainer can do. Requests arrive checked against their bounds, but a slot or corpus may not
// have been loaded: say so with kBadInput. serve() fills in the reply's id and turns every
// exception into Failed.
class TrainerBackend {
 public:
  virtual ~TrainerBackend() = default;
  virtual Result<ModelLoaded> load_model(LoadModel request, const OnProgress& on_progress) = 0;
  virtual Result<TextOpened> open_text(OpenText request, const OnProgress& on_progress) = 0;
  virtual Result<Finetuned> finetune(const Finetune& request, const OnProgress& on_progress) = 0;
  virtual Result<Evaluation> evaluate(const Evaluate& request, const OnProgress& on_progress) = 0;
  virtual Result<Finetuned> teach(const Teach& request, const OnProgress& on_progress) = 0;
  virtual Result<std::vector<float>> answer(const Answer& request,
                                            const OnProgress& on_progress) = 0;
};

// The descriptor on which the daemon left its end of the socket pair.
inline constexpr int kServiceFd = 3;

// Serves until the daemon is gone, then returns the process's exit code: 0 after an orderly end. A
// loss or an adapter with NaN or Inf is answered by Failed.
int serve(int fd, TrainerBackend& backend, const Clock& clock = SystemClock());

}  // namespace freshet
