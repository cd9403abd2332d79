#pragma once
// What a person sees of a training while it runs: nothing for two seconds, then one live line on a
// terminal and a plain line every few seconds elsewhere, on standard error.

#include <chrono>

namespace freshet {

class FinetuneProgress {
 public:
  explicit FinetuneProgress(double tokens_a_step);
  ~FinetuneProgress();  // ends a live line

  void step(int done, int total, float loss);
  void end_line();  // before anything else is printed

  double first_step_seconds() const {
    return first_step_;
  }  // from the start of the process; 0: none yet

 private:
  using Clock = std::chrono::steady_clock;
  double tokens_a_step_;
  bool terminal_, live_ = false;
  Clock::time_point begun_, first_done_, next_;
  int first_ = 0;
  double first_step_ = 0, smooth_ = 0;
};

double process_seconds();  // since this process was started

}  // namespace freshet
