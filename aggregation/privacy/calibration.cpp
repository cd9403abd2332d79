#include "aggregation/privacy/calibration.h"

#include "base/check.h"

namespace freshet {

double least_multiplier(const Budget& budget, double rate, std::uint32_t rounds) {
  CHECK(budget.epsilon > 0 && rate > 0 && rate <= 1 && rounds >= 1, "epsilon {}, rate {}",
        budget.epsilon, rate);
  constexpr double kMargin = 1e-6;  // for slack, and for the ledger's own arithmetic
  const auto keeps = [&](double multiplier) {
    const Release all[] = {{.multiplier = multiplier, .rate = rate, .times = rounds}};
    return renyi_epsilon(all, budget.delta) <= budget.epsilon * (1 - kMargin);
  };
  double low = kLeastMultiplier, high = 1;
  if (keeps(low)) return low;
  while (!keeps(high)) high *= 2;
  while (high - low > 1e-6 * high) {
    const double middle = (low + high) / 2;
    (keeps(middle) ? high : low) = middle;
  }
  return high;
}

NoisePlan noise_plan_of(const PrivacyPlan& plan, std::uint32_t rounds) {
  CHECK(plan.on);
  const double multiplier =
      plan.noise_multiplier > 0
          ? plan.noise_multiplier
          : least_multiplier({plan.epsilon, plan.delta}, plan.sampling_rate, rounds);
  return {multiplier, plan.sampling_rate, plan.delta, plan.honest_min, plan.adaptive_clip};
}

}  // namespace freshet
