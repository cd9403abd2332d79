#pragma once
// Renyi accounting of Gaussian noise (Mironov 2017, arXiv:1702.07476; under sampling: Mironov,
// Talwar and Zhang 2019, arXiv:1908.10530, equation 15), and its epsilon (Canonne, Kamath and
// Steinke 2020, proposition 12). For integer orders the figures hold for discrete Gaussian sums as
// they stand; what sums of discrete Gaussians differ by is `slack` (Kairouz et al. 2021).

#include <cstdint>
#include <span>
#include <vector>

namespace freshet {

// Opened sums that all have the same noise.
struct Release {
  double multiplier = 0;  // sigma of the noise over what one node can change
  double rate = 1;  // chance that a node is in the sum (Poisson); 1: amplification not claimed
  std::uint64_t times = 1;
  double slack = 0;  // added to the divergence of every order, once a release
  bool operator==(const Release&) const = default;
};

// Below this no epsilon means anything, and it counts as no noise.
inline constexpr double kLeastMultiplier = 0.05;

// Renyi divergence of one release. REQUIRES: order > 1. Infinity where there is no noise.
double renyi_divergence(const Release& release, double order);

struct RenyiEpsilon {
  double epsilon = 0, order = 0;  // the order that gives it
};
RenyiEpsilon renyi_epsilon(std::span<const Release> releases, double delta,
                           std::span<const double> orders);
double renyi_epsilon(std::span<const Release> releases, double delta);  // over usual_orders()

// 1.1 to 10.9 in tenths, 11 to 63, then doubling to 4096.
std::span<const double> usual_orders();

// Noise that n nodes make together: s^2 = n sigma^2, in grid units (Kairouz et al. 2021, theorem 5;
// the figures of one release).
struct DiscreteSum {
  double sensitivity = 0;  // L2
  double sigma = 0;        // of one node
  std::uint32_t nodes = 1;
  double entries = 1;
};
double sum_slack(double sigma,
                 std::uint32_t nodes);  // tau: how far the sum is from discrete Gaussian
double discrete_sum_divergence(const DiscreteSum& sum, double order);

}  // namespace freshet
