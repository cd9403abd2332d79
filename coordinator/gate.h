#pragma once
// The held-out gate: whether a candidate version reads public text no worse than the one before, by
// more than the campaign's margin. A trainer process measures both; nothing here waits for it. The
// same adapters get the same answer, so a coordinator that was killed asks again.

#include <optional>
#include <string>
#include <vector>

#include "model/process/trainer_process.h"

namespace freshet {

class Gate {
 public:
  struct Task {
    std::string model, public_text;  // folders
    AdapterSpec spec;
    int window = 128;
    double margin = 0;  // bits per byte
    TrainerOptions trainer;
  };
  // Starts the trainer, which stays for the questions to come. Errors as of the folders and of
  // TrainerProcess.
  static Result<Gate> start(Task task);

  // Forgets a question that was not answered yet.
  Result<void> ask(std::vector<float> current, std::vector<float> candidate);

  struct Answer {
    double before = 0, candidate = 0;  // bits per byte
    bool passes = false;
  };
  // Nothing while there is no answer. kUnavailable: the trainer died; start another gate.
  Result<std::optional<Answer>> poll();

  int descriptor() const { return trainer_.fd(); }

 private:
  Gate(Task task, TrainerProcess trainer) : task_(std::move(task)), trainer_(std::move(trainer)) {}
  Result<void> measure(RequestId id, std::vector<float> adapter);

  Task task_;
  TrainerProcess trainer_;
  std::uint64_t last_id_ = 0;
  RequestId before_id_{}, candidate_id_{};
  std::optional<double> before_;
};

}  // namespace freshet
