#include "aggregation/privacy/loss_grid.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/check.h"

namespace freshet {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kReach = 9;  // standard deviations that count: 1e-19 lies beyond

// P(from < N(mean, sigma^2) <= to), from the side where it does not cancel.
double normal_mass(double from, double to, double mean, double sigma) {
  const double a = (from - mean) / (sigma * std::sqrt(2.0)),
               b = (to - mean) / (sigma * std::sqrt(2.0));
  return (a > 0 ? std::erfc(a) - std::erfc(b) : std::erfc(-b) - std::erfc(-a)) / 2;
}

struct Masses {
  double without = 0, mixed = 0;  // of N(0, s^2) and of the mixture
};

Masses masses(const SampledGaussian& gaussian, double from, double to) {
  const double without = normal_mass(from, to, 0, gaussian.sigma);
  const double with = normal_mass(from, to, 1, gaussian.sigma);
  return {without, (1 - gaussian.rate) * without + gaussian.rate * with};
}

// ln of mixture over N(0, s^2) at x, which rises with x, and its inverse.
double loss_at(const SampledGaussian& gaussian, double x) {
  const double ratio = (2 * x - 1) / (2 * gaussian.sigma * gaussian.sigma);
  if (gaussian.rate == 1) return ratio;
  const double moved = std::log(gaussian.rate) + ratio, still = std::log1p(-gaussian.rate);
  return std::max(moved, still) + std::log1p(std::exp(-std::fabs(moved - still)));
}

double place_of(const SampledGaussian& gaussian, double loss) {
  const double still = gaussian.rate == 1 ? 0 : (1 - gaussian.rate) * std::exp(-loss);
  if (still >= 1) return -kInfinity;
  return gaussian.sigma * gaussian.sigma * (loss + std::log1p(-still) - std::log(gaussian.rate)) +
         0.5;
}

// Mass p of P and q of Q between the losses i * grid and (i + 1) * grid: what of p goes up.
double share_up(double p, double q, double low, double grid, Rounding rounding) {
  if (rounding == Rounding::kUp) return p;
  if (rounding == Rounding::kDown) return 0;
  // x + y = p and x e^-low + y e^-(low + grid) = q
  return std::clamp((p - std::exp(low) * q) / -std::expm1(-grid), 0.0, p);
}

}  // namespace

LossGrid losses_of(const SampledGaussian& gaussian, Adjacency adjacency, Rounding rounding) {
  CHECK(gaussian.sigma > 0 && gaussian.rate > 0 && gaussian.rate <= 1 && gaussian.grid > 0,
        "sigma {}, rate {}, grid {}", gaussian.sigma, gaussian.rate, gaussian.grid);
  const bool remove = adjacency == Adjacency::kRemove;
  const double grid = gaussian.grid, reach = kReach * gaussian.sigma;
  const double least = loss_at(gaussian, -reach),
               most = loss_at(gaussian, remove ? 1 + reach : reach);
  const double from = remove ? least : -most, to = remove ? most : -least;
  LossGrid losses{grid, static_cast<std::int64_t>(std::floor(from / grid)), {}, 0};
  const auto cells =
      static_cast<std::size_t>(static_cast<std::int64_t>(std::ceil(to / grid)) - losses.lowest);
  losses.mass.assign(cells + 1, 0);
  // Cells by rising loss; x rises with the loss where a node is removed and falls where one is
  // added.
  double edge = remove ? -kInfinity : kInfinity;
  for (std::size_t i = 0; i <= cells; ++i) {
    const double low = static_cast<double>(losses.lowest + static_cast<std::int64_t>(i)) * grid;
    double next = remove ? kInfinity : -kInfinity;
    if (i < cells) next = place_of(gaussian, remove ? low + grid : -(low + grid));
    const Masses in = masses(gaussian, std::min(edge, next), std::max(edge, next));
    const double p = remove ? in.mixed : in.without, q = remove ? in.without : in.mixed;
    edge = next;
    if (i == cells) {  // beyond the last loss
      (rounding == Rounding::kDown ? losses.mass[i] : losses.infinite) += p;
      continue;
    }
    const double up = share_up(p, q, low, grid, rounding);
    losses.mass[i] += p - up;
    losses.mass[i + 1] += up;
  }
  return losses;
}

double variance_of(const LossGrid& losses) {
  double sum = 0, squares = 0;
  for (std::size_t i = 0; i < losses.mass.size(); ++i) {
    const double loss = static_cast<double>(losses.lowest + static_cast<std::int64_t>(i));
    sum += losses.mass[i] * loss;
    squares += losses.mass[i] * loss * loss;
  }
  return std::max(squares - sum * sum, 1e-12) * losses.grid * losses.grid;
}

double log_moment(const LossGrid& losses, double exponent) {
  const double low = exponent * losses.grid * static_cast<double>(losses.lowest);
  const double high = exponent * losses.grid * static_cast<double>(highest(losses));
  constexpr double kLargest = 600;  // e^709 does not fit
  if (std::max(std::fabs(low), std::fabs(high)) > kLargest) return kInfinity;
  const double factor = std::exp(exponent * losses.grid);
  double sum = 0, weight = std::exp(low);
  for (const double mass : losses.mass) {
    sum += mass * weight;
    weight *= factor;
  }
  return std::log(sum);
}

double delta_of(const LossGrid& losses, double epsilon) {
  double delta = losses.infinite;
  for (std::size_t i = losses.mass.size(); i-- > 0;) {
    const double loss =
        losses.grid * static_cast<double>(losses.lowest + static_cast<std::int64_t>(i));
    if (loss <= epsilon) break;
    delta -= std::expm1(epsilon - loss) * losses.mass[i];
  }
  return std::clamp(delta, 0.0, 1.0);
}

double epsilon_of(const LossGrid& losses, double delta) {
  if (losses.infinite > delta) return kInfinity;
  const double fall = std::exp(-losses.grid);
  double above = losses.infinite, discounted = 0;  // sum of mass e^(loss_i - loss)
  for (std::size_t i = losses.mass.size(); i-- > 0;) {
    above += losses.mass[i];
    discounted = discounted * fall + losses.mass[i];
    if (above - discounted * fall <= delta) continue;  // at the next lower loss it still is enough
    const double loss =
        losses.grid * static_cast<double>(losses.lowest + static_cast<std::int64_t>(i));
    return std::max(0.0, loss + std::log((above - delta) / discounted));
  }
  return 0;
}

}  // namespace freshet
