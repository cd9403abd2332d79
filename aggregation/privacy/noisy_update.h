#pragma once
// Updates on the grid with their node's share of the noise, and the mean of their sum. In between
// they are masked and added, modulo 2^bits.

#include "aggregation/privacy/noise_plan.h"
#include "aggregation/updates.h"

namespace freshet {

// quantize(), repeated until the rounded update keeps to noise.sensitivity: at the clip one try in
// three suffices by the bound and nearly every one in truth. `within` is what the counting word
// says, where the plan has one. REQUIRES: update.weight == 1, and its norm is at most the clip that
// `noise` was derived from.
QuantizedUpdate quantize_within(const ClippedUpdate& update, const Grid& grid,
                                const NoisePlan& plan, const Noise& noise, bool within,
                                const FillRandom& fill_random);

// Every word but the weight, which is public, plus a discrete Gaussian, modulo 2^bits.
// REQUIRES: words as quantize_within() makes them for this plan.
void add_noise(QuantizedUpdate& update, const Noise& noise, int bits,
               const FillRandom& fill_random);

struct NoisyMean {
  MeanUpdate mean;
  double share_within = 0;  // of the updates within the clip; noise may put it outside [0, 1]
};

// Of a sum modulo 2^bits, whose words stand for the numbers nearest to the middle of what `count`
// updates can sum to. kBadInput when the weight is not the count.
Result<NoisyMean> noisy_mean(const QuantizedSum& sum, const Grid& grid, const NoisePlan& plan,
                             int bits);

}  // namespace freshet
