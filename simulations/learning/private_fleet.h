#pragma once
// A campaign under client-level differential privacy, in one process on real text: nodes train,
// clip, round and add their noise, the words are added modulo 2^bits, and the server's step
// follows. Masks are left out: they cancel, so the sum has the same bits without. Who is in a round
// is drawn node by node with the plan's sampling rate (Poisson), as the accounting of a rate below
// 1 assumes.

#include "simulations/learning/fleet.h"

namespace freshet {

struct PrivateFleetResult {
  FleetResult learned;
  std::uint32_t rounds = 0;  // opened; fewer than planned where the budget ended first
  double multiplier = 0;     // of the noise; 0: none
  int word_bits = 0;
  double cohort = 0;                                        // mean
  double clip_first = 0, clip_last = 0, share_clipped = 0;  // of all updates, by their true norms
  double epsilon = 0, epsilon_unamplified = 0, pld_epsilon = 0, pld_epsilon_unamplified = 0;
};

// Without privacy.on: the same rounds without noise. kUnavailable where a drawn cohort is smaller
// than the floor that the noise is calibrated to.
Result<PrivateFleetResult> run_private_fleet(LanguageModel& model,
                                             const std::vector<FleetNode>& nodes,
                                             const FleetPlan& plan,
                                             const std::function<void(std::uint64_t)>& round_done);

}  // namespace freshet
