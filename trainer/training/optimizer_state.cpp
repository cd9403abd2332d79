#include "trainer/training/optimizer_state.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "trainer/kernels/loops.h"

namespace freshet {

float rate_at(const TrainPlan& plan, int step) {
  if (step < plan.warmup)
    return plan.base.lr * static_cast<float>(step + 1) / static_cast<float>(plan.warmup);
  if (plan.schedule == Schedule::kConstant) return plan.base.lr;
  const double done =
      static_cast<double>(step - plan.warmup) / std::max(1, plan.base.steps - plan.warmup);
  return plan.base.lr *
         static_cast<float>(0.5 * (1 + std::cos(std::numbers::pi * std::min(done, 1.0))));
}

OptimizerState::OptimizerState(const Layout& layout, const TrainPlan& plan) : plan_(plan) {
  for (const LayoutEntry& entry : layout.entries)
    if (entry.factor == Factor::kCore ||
        (entry.factor == Factor::kA ? plan.base.train_a : plan.base.train_b))
      trained_.push_back({entry.offset, entry.size()});
  if (plan.optimizer != Optimizer::kAdamW || plan.gradient != Gradient::kBackward) return;
  first.assign(layout.size, 0.0f);
  second.assign(layout.size, 0.0f);
}

double OptimizerState::step(float rate, std::vector<float>& gradient, std::vector<float>& values) {
  double square = 0;
  for (const Run& run : trained_)
    for (std::size_t i = run.offset; i < run.offset + run.size; ++i)
      square += double{gradient[i]} * gradient[i];
  const double norm = std::sqrt(square);
  if (!std::isfinite(norm)) return norm;
  ++steps;
  const float factor =
      plan_.clip > 0 && norm > plan_.clip ? static_cast<float>(plan_.clip / norm) : 1.0f;
  for (const Run& run : trained_) {
    float* g = gradient.data() + run.offset;
    float* v = values.data() + run.offset;
    if (factor != 1.0f)
      for (std::size_t i = 0; i < run.size; ++i) g[i] *= factor;
    if (plan_.optimizer == Optimizer::kAdamW) {
      kernels::adamw({.lr = rate, .weight_decay = plan_.weight_decay, .step = steps},
                     static_cast<std::int64_t>(run.size), g, first.data() + run.offset,
                     second.data() + run.offset, v);
      continue;
    }
    for (std::size_t i = 0; i < run.size; ++i)
      v[i] = v[i] * (1 - rate * plan_.weight_decay) - rate * g[i];
  }
  return norm;
}

}  // namespace freshet
