#include "aggregation/privacy/pld.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "aggregation/privacy/fft.h"
#include "aggregation/privacy/loss_grid.h"
#include "base/check.h"

namespace freshet {
namespace {

constexpr double kEndless = std::numeric_limits<double>::infinity();
constexpr double kTail = 1e-15;  // mass that the window of a composition may leave out, either side
constexpr std::size_t kPointsMax = std::size_t{1} << 21;

using Complex = std::complex<double>;

double normal_cdf(double x) { return std::erfc(-x / std::sqrt(2.0)) / 2; }

// Releases without sampling are one Gaussian; what has no effect is left out.
std::vector<Release> reduced(std::span<const Release> releases) {
  std::vector<Release> rest;
  double squares = 0;
  for (const Release& each : releases) {
    if (each.times == 0 || each.rate == 0) continue;
    if (each.rate == 1)
      squares += static_cast<double>(each.times) / (each.multiplier * each.multiplier);
    else
      rest.push_back(each);
  }
  if (squares > 0) rest.push_back({.multiplier = 1 / std::sqrt(squares)});
  return rest;
}

bool all_have_noise(std::span<const Release> releases) {
  return std::all_of(releases.begin(), releases.end(), [](const Release& r) {
    return r.times == 0 || r.rate == 0 ||
           (r.multiplier >= kLeastMultiplier && std::isfinite(r.multiplier));
  });
}

// About the standard deviation of one release's loss.
double spread_of(const Release& release) {
  const double sigma = release.multiplier;
  if (release.rate == 1) return 1 / sigma;
  return std::min(1 / sigma, release.rate * std::sqrt(std::expm1(1 / (sigma * sigma))));
}

double grid_for(const std::vector<Release>& releases) {
  double grid = 1e-4, variance = 0;
  for (const Release& each : releases) {
    const double spread = spread_of(each);
    grid = std::min(grid, spread / 100);
    variance += static_cast<double>(each.times) * spread * spread;
  }
  return std::max(grid, 24 * std::sqrt(variance) / static_cast<double>(kPointsMax));
}

struct Part {
  LossGrid losses;
  std::uint64_t times;
};

double spread_of(const std::vector<Part>& parts) {
  double variance = 0;
  for (const Part& part : parts)
    variance += static_cast<double>(part.times) * variance_of(part.losses);
  return std::sqrt(variance);
}

struct Window {
  std::int64_t lowest, highest;  // grid points
};

// All but kTail of the sum's mass on either side, by Chernoff's bound at some exponents.
Window window_of(const std::vector<Part>& parts, double grid) {
  double low = 0, high = 0;
  for (const Part& part : parts) {
    low += static_cast<double>(part.times) * static_cast<double>(part.losses.lowest);
    high += static_cast<double>(part.times) * static_cast<double>(highest(part.losses));
  }
  // The best exponent is near the last of these for sums that look Gaussian, and far below it where
  // single losses are rare and large.
  const double largest = 4 * std::sqrt(-2 * std::log(kTail)) / spread_of(parts);
  for (double exponent = largest; exponent > std::min(0.3, largest / 2); exponent /= 1.5)
    for (const double sign : {-1.0, 1.0}) {
      double moment = 0;
      for (const Part& part : parts)
        moment += static_cast<double>(part.times) * log_moment(part.losses, sign * exponent);
      if (!std::isfinite(moment)) continue;
      const double reach = (moment - std::log(kTail)) / exponent / grid;
      if (sign > 0) high = std::min(high, std::ceil(reach));
      if (sign < 0) low = std::max(low, std::floor(-reach));
    }
  return {static_cast<std::int64_t>(low), static_cast<std::int64_t>(high)};
}

Complex to_power(Complex base, std::uint64_t times) {
  Complex result = 1;
  for (; times != 0; times >>= 1, base *= base)
    if (times & 1) result *= base;
  return result;
}

// The sum's losses. What the window leaves out above counts as infinite unless it is rounded down.
LossGrid compose(const std::vector<Part>& parts, const Window& window, Rounding rounding) {
  const double grid = parts[0].losses.grid;
  const auto wanted = static_cast<std::size_t>(window.highest - window.lowest + 1);
  const std::size_t n = std::bit_ceil(std::max<std::size_t>(wanted, 2));
  const auto place = [n](std::int64_t point) {
    return static_cast<std::size_t>(point) & (n - 1);  // two's complement: modulo n
  };
  std::vector<Complex> product(n, 1.0), factor(n);
  LossGrid sum{grid, window.lowest, std::vector<double>(wanted), 0};
  double finite = 1;
  for (const Part& part : parts) {
    std::fill(factor.begin(), factor.end(), 0.0);
    for (std::size_t i = 0; i < part.losses.mass.size(); ++i)
      factor[place(part.losses.lowest + static_cast<std::int64_t>(i))] += part.losses.mass[i];
    transform(factor, Direction::kForward);
    for (std::size_t i = 0; i < n; ++i) product[i] *= to_power(factor[i], part.times);
    finite *= std::pow(1 - part.losses.infinite, static_cast<double>(part.times));
  }
  transform(product, Direction::kInverse);
  for (std::size_t i = 0; i < wanted; ++i)
    sum.mass[i] =
        std::max(0.0, product[place(window.lowest + static_cast<std::int64_t>(i))].real());
  sum.infinite = 1 - finite + (rounding == Rounding::kDown ? 0 : kTail);
  return sum;
}

LossGrid compose(const std::vector<Release>& releases, Adjacency adjacency, Rounding rounding) {
  for (double grid = grid_for(releases);; grid *= 2) {
    std::vector<Part> parts;
    for (const Release& each : releases)
      parts.push_back(
          {losses_of({each.multiplier, each.rate, grid}, adjacency, rounding), each.times});
    if (parts.size() == 1 && parts[0].times == 1) return std::move(parts[0].losses);
    const Window window = window_of(parts, grid);
    if (window.highest - window.lowest < static_cast<std::int64_t>(2 * kPointsMax))
      return compose(parts, window, rounding);
  }
}

}  // namespace

double pld_epsilon(std::span<const Release> releases, double delta, Rounding rounding) {
  CHECK(delta > 0 && delta < 1, "delta {}", delta);
  const std::vector<Release> each = reduced(releases);
  if (each.empty()) return 0;
  if (!all_have_noise(releases)) return kEndless;
  if (each.size() == 1 && each[0].rate == 1) return gaussian_epsilon(each[0].multiplier, delta);
  return std::max(epsilon_of(compose(each, Adjacency::kRemove, rounding), delta),
                  epsilon_of(compose(each, Adjacency::kAdd, rounding), delta));
}

double pld_delta(std::span<const Release> releases, double epsilon, Rounding rounding) {
  const std::vector<Release> each = reduced(releases);
  if (each.empty()) return 0;
  if (!all_have_noise(releases)) return 1;
  if (each.size() == 1 && each[0].rate == 1) return gaussian_delta(each[0].multiplier, epsilon);
  return std::max(delta_of(compose(each, Adjacency::kRemove, rounding), epsilon),
                  delta_of(compose(each, Adjacency::kAdd, rounding), epsilon));
}

double gaussian_delta(double multiplier, double epsilon) {
  const double mu = 1 / multiplier;
  const double far = normal_cdf(-epsilon / mu - mu / 2);
  return normal_cdf(-epsilon / mu + mu / 2) - (far == 0 ? 0 : std::exp(epsilon + std::log(far)));
}

double gaussian_epsilon(double multiplier, double delta) {
  if (gaussian_delta(multiplier, 0) <= delta) return 0;
  double low = 0, high = 1;
  while (gaussian_delta(multiplier, high) > delta) high *= 2;
  for (int i = 0; i < 200 && low < high; ++i) {
    const double middle = (low + high) / 2;
    (gaussian_delta(multiplier, middle) > delta ? low : high) = middle;
  }
  return high;
}

}  // namespace freshet
