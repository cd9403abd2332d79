#include "aggregation/privacy/rdp.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/check.h"

namespace freshet {
namespace {

constexpr double kUnbounded = std::numeric_limits<double>::infinity();

double log_add(double a, double b) {
  if (a < b) std::swap(a, b);
  return b == -kUnbounded ? a : a + std::log1p(std::exp(b - a));
}

// ln sum_k C(order, k) (1-q)^(order-k) q^k e^(k (k-1) / 2 sigma^2)
double log_moment_of_integer(double sigma, double rate, double order) {
  double sum = -kUnbounded;
  for (double k = 0; k <= order; ++k) {
    const double choose = std::lgamma(order + 1) - std::lgamma(k + 1) - std::lgamma(order - k + 1);
    const double weight = k * std::log(rate) + (order - k) * std::log1p(-rate);
    sum = log_add(sum, choose + weight + k * (k - 1) / (2 * sigma * sigma));
  }
  return sum;
}

// ln E over N(0, sigma^2) of ((1-q) + q e^((2x-1) / 2 sigma^2))^order, by the trapezoid rule: the
// integrand is analytic in a strip of width pi sigma^2 and falls like a Gaussian, so that the error
// is below e^-200 of it.
double log_moment(double sigma, double rate, double order) {
  const double step = std::min(sigma, sigma * sigma) / 12;
  const double from = -40 * sigma, to = order + 40 * sigma;
  const auto points = static_cast<std::int64_t>(std::ceil((to - from) / step));
  double largest = -kUnbounded, sum = 0;
  for (std::int64_t i = 0; i <= points; ++i) {
    const double x = from + static_cast<double>(i) * step;
    const double ratio = (2 * x - 1) / (2 * sigma * sigma);
    const double mixed = log_add(std::log1p(-rate), std::log(rate) + ratio);
    const double term = order * mixed - x * x / (2 * sigma * sigma);
    if (term > largest) {
      sum *= std::exp(largest - term);
      largest = term;
    }
    sum += std::exp(term - largest);
  }
  return largest + std::log(sum * step / sigma) - 0.5 * std::log(2 * M_PI);
}

std::vector<double> make_usual_orders() {
  std::vector<double> orders;
  for (int tenths = 11; tenths <= 109; ++tenths) orders.push_back(tenths / 10.0);
  for (int whole = 11; whole <= 63; ++whole) orders.push_back(whole);
  for (int whole = 64; whole <= 4096; whole *= 2) orders.push_back(whole);
  return orders;
}

// Of integer orders; larger ones are not asked for.
constexpr double kTermsMax = 4096;

}  // namespace

double renyi_divergence(const Release& release, double order) {
  CHECK(order > 1 && release.rate >= 0 && release.rate <= 1, "order {}, rate {}", order,
        release.rate);
  if (release.rate == 0) return 0;
  const double sigma = release.multiplier;
  if (!(sigma >= kLeastMultiplier)) return kUnbounded;
  if (release.rate == 1) return order / (2 * sigma * sigma) + release.slack;
  const bool integer = order == std::floor(order) && order <= kTermsMax;
  const double moment = integer ? log_moment_of_integer(sigma, release.rate, order)
                                : log_moment(sigma, release.rate, order);
  return std::max(0.0, moment / (order - 1)) + release.slack;
}

RenyiEpsilon renyi_epsilon(std::span<const Release> releases, double delta,
                           std::span<const double> orders) {
  CHECK(delta > 0 && delta < 1 && !orders.empty(), "delta {}, {} orders", delta, orders.size());
  RenyiEpsilon best{kUnbounded, orders.front()};
  const bool nothing = std::all_of(releases.begin(), releases.end(), [](const Release& each) {
    return each.times == 0 || each.rate == 0;
  });
  if (nothing) return {0, orders.front()};
  for (const double order : orders) {
    double divergence = 0;
    for (const Release& each : releases)
      if (each.times != 0)
        divergence += static_cast<double>(each.times) * renyi_divergence(each, order);
    const double epsilon =
        divergence + std::log1p(-1 / order) - (std::log(delta) + std::log(order)) / (order - 1);
    if (epsilon < best.epsilon) best = {std::max(0.0, epsilon), order};
  }
  return best;
}

double renyi_epsilon(std::span<const Release> releases, double delta) {
  return renyi_epsilon(releases, delta, usual_orders()).epsilon;
}

std::span<const double> usual_orders() {
  static const std::vector<double> kOrders = make_usual_orders();
  return kOrders;
}

double sum_slack(double sigma, std::uint32_t nodes) {
  constexpr std::uint32_t kOneByOne = 10'000;  // terms fall; the rest count as the last of these
  const auto term = [&](double k) {
    return std::exp(-2 * M_PI * M_PI * sigma * sigma * k / (k + 1));
  };
  double tau = 0;
  for (std::uint32_t k = 1; k < std::min(nodes, kOneByOne); ++k) tau += term(k);
  if (nodes > kOneByOne) tau += (nodes - kOneByOne) * term(kOneByOne);
  return 10 * tau;
}

double discrete_sum_divergence(const DiscreteSum& sum, double order) {
  const double s = std::sqrt(static_cast<double>(sum.nodes)) * sum.sigma;
  const double tau = sum_slack(sum.sigma, sum.nodes), d = sum.entries;
  const double l2 = sum.sensitivity, l1 = std::min(std::sqrt(d) * l2, l2 * l2);
  const double joined = l2 / s + std::sqrt(d) * tau;
  return std::min({order * l2 * l2 / (2 * s * s) + tau * d,
                   order / 2 * (l2 * l2 / (s * s) + 2 * l1 * tau / s + tau * tau * d),
                   order / 2 * joined * joined});
}

}  // namespace freshet
