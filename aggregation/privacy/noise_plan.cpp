#include "aggregation/privacy/noise_plan.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "aggregation/privacy/adaptive_clip.h"
#include "aggregation/privacy/discrete_gaussian.h"
#include "base/check.h"

namespace freshet {
namespace {

// The word that counts gets so much noise, in nodes over z, that the update pays one part in 200
// for it: of 100 nodes at z = 1 this is the paper's n / 20.
constexpr double kCountNoise = 5;
constexpr double kLeastSigma = 2;  // of one node, in grid units

double levels_of(const Grid& grid) { return std::ldexp(1.0, grid.bits) - 1; }

Result<std::uint64_t> variance_256(double sigma_of_sum, std::uint32_t honest) {
  const double variance = sigma_of_sum * sigma_of_sum / honest;
  if (variance < kLeastSigma * kLeastSigma)
    return fail(Code::kBadInput,
                fmt::format("one of {} honest nodes would add noise of {:.3g} grid units: it takes "
                            "at least {}; raise [update] bits or the noise",
                            honest, std::sqrt(variance), kLeastSigma));
  const double scaled = std::ceil(variance * 256);
  if (!(scaled <= static_cast<double>(DiscreteGaussian::kVarianceMax)))
    return fail(Code::kBadInput, fmt::format("noise of {:.3g} grid units does not fit into words "
                                             "of 32 bits: lower [update] bits or the noise",
                                             std::sqrt(variance)));
  return static_cast<std::uint64_t>(scaled);
}

}  // namespace

double rounded_norm(double clip, std::size_t entries) {
  const auto d = static_cast<double>(entries);
  const double worst = clip + std::sqrt(d);
  const double likely = clip * clip + d / 4 + clip + std::sqrt(d) / 2;  // 2 ln(1/beta) is 1
  return std::min(worst, std::sqrt(likely));
}

double Noise::sigma_of_sum(std::uint32_t updates) const {
  const auto largest = static_cast<double>(std::max(variance_256, count_variance_256));
  return std::sqrt(largest / 256 * updates);
}

std::size_t words_of(const NoisePlan& plan, std::size_t entries) {
  return entries + (plan.counts_clipped ? 2 : 1);
}

Result<Noise> noise_of(const NoisePlan& plan, double clip, const Grid& grid, std::size_t entries) {
  TRY(sum_bits(grid, 1));
  CHECK(std::isfinite(clip) && clip > 0 && entries > 0, "clip {}, {} entries", clip, entries);
  if (!(plan.multiplier > 0) || !std::isfinite(plan.multiplier))
    return fail(Code::kBadInput, fmt::format("the noise multiplier is {}: it must be a number "
                                             "above 0",
                                             plan.multiplier));
  if (plan.honest_min < 1)
    return fail(Code::kBadInput, "noise calibrated to no honest node at all");
  if (grid.weight_max != 1)
    return fail(Code::kBadInput,
                fmt::format("weights up to {}: under [privacy] every node weighs 1, since a "
                            "weight would tell of its text",
                            grid.weight_max));
  const double unit = 2.0 * grid.range / levels_of(grid);
  const double counted = kCountNoise * plan.multiplier;
  Noise noise;
  noise.sensitivity = sensitivity_of(clip / unit, entries);
  const double multiplier =
      plan.counts_clipped ? split_multiplier(plan.multiplier, counted) : plan.multiplier;
  TRY_ASSIGN(noise.variance_256, variance_256(multiplier * noise.sensitivity, plan.honest_min));
  if (plan.counts_clipped) {
    // The word is 0 or the grid's end, so that a node changes it by half the grid.
    const double sigma = 2 * counted * (levels_of(grid) + 1) / 2;
    TRY_ASSIGN(noise.count_variance_256, variance_256(sigma, plan.honest_min));
  }
  noise.honest_sigma = std::sqrt(static_cast<double>(noise.variance_256) / 256 * plan.honest_min);
  return noise;
}

double sensitivity_of(double clip, std::size_t entries) {
  return rounded_norm(clip, entries) + std::sqrt(static_cast<double>(entries)) / 2;
}

}  // namespace freshet
