#pragma once
// What an optimiser keeps of an adapter, and one step of it. Only the factors that are trained move
// or decay.

#include <vector>

#include "model/adapter.h"
#include "trainer/training/train_plan.h"

namespace freshet {

class OptimizerState {
 public:
  OptimizerState(const Layout& layout, const TrainPlan& plan);

  // The gradient's norm over the trained factors, before it is clipped. Nothing changes where it is
  // not finite.
  double step(float rate, std::vector<float>& gradient, std::vector<float>& values);

  std::int64_t steps = 0;
  std::vector<float> first, second;  // AdamW's moments, layout.size each; empty for SGD

 private:
  struct Run {
    std::size_t offset, size;
  };
  std::vector<Run> trained_;
  TrainPlan plan_;
};

}  // namespace freshet
