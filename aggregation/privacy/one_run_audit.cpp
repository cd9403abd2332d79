#include "aggregation/privacy/one_run_audit.h"

#include <cmath>

#include "base/check.h"

namespace freshet {
namespace {

// P(Binomial(n, p) >= k)
double upper_tail(std::uint32_t n, std::uint32_t k, double p) {
  double sum = 0;
  for (std::uint32_t i = k; i <= n; ++i) {
    const double choose = std::lgamma(n + 1.0) - std::lgamma(i + 1.0) - std::lgamma(n - i + 1.0);
    sum += std::exp(choose + i * std::log(p) + (n - i) * std::log1p(-p));
  }
  return sum;
}

}  // namespace

double audited_epsilon(std::uint32_t guesses, std::uint32_t right, double confidence) {
  CHECK(right <= guesses && confidence > 0 && confidence < 1, "{} of {} at {}", right, guesses,
        confidence);
  const auto ruled_out = [&](double epsilon) {
    return upper_tail(guesses, right, 1 / (1 + std::exp(-epsilon))) <= 1 - confidence;
  };
  if (guesses == 0 || !ruled_out(0)) return 0;
  double low = 0, high = 1;
  while (ruled_out(high)) high *= 2;
  for (int i = 0; i < 60; ++i) {
    const double middle = (low + high) / 2;
    (ruled_out(middle) ? low : high) = middle;
  }
  return low;
}

}  // namespace freshet
