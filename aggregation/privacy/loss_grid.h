#pragma once
// The privacy loss ln P(x)/Q(x), x from P, of one Gaussian release under Poisson sampling, as
// masses on a grid of losses. Of the accountant in pld.h.

#include <cstdint>
#include <vector>

#include "aggregation/privacy/pld.h"

namespace freshet {

struct LossGrid {
  double grid = 0;          // distance of two losses
  std::int64_t lowest = 0;  // mass[i] is at (lowest + i) * grid
  std::vector<double> mass;
  double infinite = 0;
};
inline std::int64_t highest(const LossGrid& losses) {
  return losses.lowest + static_cast<std::int64_t>(losses.mass.size()) - 1;
}

// P against Q: with the node against without, (1-q) N(0, s^2) + q N(1, s^2) against N(0, s^2); or
// the other way round.
enum class Adjacency { kRemove, kAdd };

struct SampledGaussian {
  double sigma, rate, grid;
};
// REQUIRES: sigma > 0, 0 < rate <= 1, grid > 0.
LossGrid losses_of(const SampledGaussian& gaussian, Adjacency adjacency, Rounding rounding);

double variance_of(const LossGrid& losses);
double log_moment(const LossGrid& losses, double exponent);  // ln E e^(exponent loss), finite part

// delta(epsilon) = infinite + sum over losses above epsilon of (1 - e^(epsilon - loss)) mass, and
// its inverse, which is never below 0.
double delta_of(const LossGrid& losses, double epsilon);
double epsilon_of(const LossGrid& losses, double delta);

}  // namespace freshet
