#pragma once
// Everything that decides how an adapter is trained, beyond what a campaign says
// (model/language_model.h).

#include <cstdint>

#include "model/language_model.h"

namespace freshet {

enum class Optimizer : std::uint8_t { kAdamW, kSgd };
enum class Schedule : std::uint8_t {
  kConstant,
  kCosine
};  // after the warm-up; cosine falls to zero at the last step
enum class Order : std::uint8_t {
  kWindows,  // windows that start anywhere in the text, drawn at random: what a campaign's nodes do
  kShuffled,    // packed rows, every one once an epoch, in an order that seed and epoch fix
  kSequential,  // packed rows as the text has them
};
enum class Gradient : std::uint8_t {
  kBackward,
  kMezo,  // two forward passes along random signs (Malladi et al. 2023, arXiv:2305.17333): no
          // activations are kept
};

// Differential privacy of every example (trainer/training/private_gradient.h). Batches are drawn:
// each example is in a step with the chance that makes `base.batch * accumulate` of them on
// average.
struct DpPlan {
  double multiplier = 0;  // of the noise, over the clip; 0: none of this
  float clip = 1;         // L2 of one example's gradient
  bool on() const { return multiplier > 0; }
};

struct TrainPlan {
  FinetunePlan base;   // steps, batch, window, lr, seed, which factors
  int accumulate = 1;  // batches a step
  Optimizer optimizer = Optimizer::kAdamW;
  Schedule schedule = Schedule::kConstant;
  int warmup = 0;  // steps over which the rate rises
  float clip = 0;  // largest norm of the gradient; 0: as it is
  float weight_decay = 0;
  Order order = Order::kWindows;
  Gradient gradient = Gradient::kBackward;
  float mezo_step = 1e-3f;  // how far a perturbation goes
  int mezo_seeds = 0;  // > 0: that many directions are used again and again, so that one number
                       // each describes the training (FedKSeed, arXiv:2312.06353)
  DpPlan dp;
  int micro_batch = 0;     // sequences of one pass; 0: the whole batch
  bool recompute = false;  // keep the inputs of layers alone
  int head_rows = 512;     // logits that exist at a time
};

// Of the step's rate, from 0: warm-up, then the schedule.
float rate_at(const TrainPlan& plan, int step);

}  // namespace freshet
