#pragma once
// Client-level differential privacy of a campaign and of one round. The noise is made by the nodes,
// as integers on the quantisation grid, so that only its sum with theirs is ever opened (Kairouz et
// al. 2021, arXiv:2102.06387). Its scale follows from the clip that the node itself enforces;
// nobody states a sensitivity.

#include <cstddef>
#include <cstdint>

#include "aggregation/quantize.h"
#include "base/result.h"

namespace freshet {

// [privacy] of a campaign.
struct PrivacyPlan {
  bool on = false;
  double epsilon = 8, delta = 1e-5;  // the campaign ends before it would have spent more
  double noise_multiplier = 0;  // noise of the sum over the clip; 0: the least that lets all rounds
                                // stay within epsilon
  double sampling_rate = 1;  // chance that a node of the population is in a round; 1 claims none.
                             // Holds against those who do not know who took part only.
  std::uint32_t honest_min = 4;  // honest survivors that the noise is calibrated to: a round with
                                 // fewer is not opened
  bool adaptive_clip = false;  // the clip follows the norms (Andrew et al. 2021, arXiv:1905.03871)
  double clip_quantile = 0.5, clip_rate = 0.2;
  bool operator==(const PrivacyPlan&) const = default;
};

// Of one round, in its descriptor. Default: no noise.
struct NoisePlan {
  double multiplier = 0;  // z: noise of the sum over the clip; 0: none
  double sampling_rate = 1, delta = 0;
  std::uint32_t honest_min = 0;  // |survivors| - floor(gamma |roster|) is at least this
  bool counts_clipped = false;  // one more word, before the weight: was the update within the clip?
  bool on() const { return multiplier > 0; }
  bool operator==(const NoisePlan&) const = default;
};

// What a node and the coordinator derive from a round's plan, in units of the grid.
struct Noise {
  double sensitivity = 0;                // L2 of what one node can change in the sum
  std::uint64_t variance_256 = 0;        // of one node's noise, per word, in 256ths
  std::uint64_t count_variance_256 = 0;  // the same of the word that counts; 0 where there is none
  double honest_sigma = 0;               // of the noise of honest_min nodes together
  double sigma_of_sum(
      std::uint32_t updates) const;  // what word_bits() needs: the larger of the two
};

// kBadInput where the plan gives less than 2 grid units of noise to a node (the sum of discrete
// Gaussians is one no more), weights other than 1, or noise beyond what 32-bit words can hold.
// `entries` counts the update's values, without the counting word and the weight.
Result<Noise> noise_of(const NoisePlan& plan, double clip, const Grid& grid, std::size_t entries);

// Words of a contribution of `entries` values: with the weight, and the counting word where the
// plan has one.
std::size_t words_of(const NoisePlan& plan, std::size_t entries);

// L2, in grid units, of a vector of norm `clip` after stochastic rounding that is repeated until it
// keeps to this (Kairouz et al. 2021, proposition 26, with beta = e^-1/2).
double rounded_norm(double clip, std::size_t entries);

// What one node can change: its rounded update against a contribution of nothing, which is half a
// grid unit off in every entry, since zero lies between two points of the grid.
double sensitivity_of(double clip, std::size_t entries);

}  // namespace freshet
