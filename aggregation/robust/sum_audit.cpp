#include "aggregation/robust/sum_audit.h"

#include <fmt/core.h>

#include <cmath>

#include "base/check.h"

namespace freshet {
namespace {

double step_of(const Grid& grid) {
  return 2.0 * static_cast<double>(grid.range) /
         static_cast<double>((std::uint32_t{1} << grid.bits) - 1);
}

Result<void> check_within(double norm, double bound, double clip) {
  if (norm <= bound) return {};
  return fail(Code::kBadInput,
              fmt::format("norm {:.4g}, where updates clipped to {:.4g} reach {:.4g} at most: a "
                          "node did not clip",
                          norm, clip, bound));
}

}  // namespace

double norm_bound(double clip, const Grid& grid, std::size_t entries, double noise) {
  const double root = std::sqrt(static_cast<double>(entries));
  // A Gaussian vector's norm is above sigma (sqrt(d) + s) with probability below exp(-s^2 / 2).
  const double spread = std::sqrt(2 * std::log(1e9));
  const double reach = clip + root * step_of(grid) + noise * (root + spread);
  return reach * (1 + 1e-6);  // means are floats
}

double norm_of(std::span<const float> values) {
  double squares = 0;
  for (const float value : values) squares += static_cast<double>(value) * value;
  return std::sqrt(squares);
}

double cosine(std::span<const float> a, std::span<const float> b) {
  CHECK(a.size() == b.size(), "{} values beside {}", a.size(), b.size());
  double product = 0;
  for (std::size_t i = 0; i < a.size(); ++i) product += static_cast<double>(a[i]) * b[i];
  const double norms = norm_of(a) * norm_of(b);
  return norms > 0 ? product / norms : 0;
}

Result<void> check_norm(const MeanUpdate& mean, double clip, const Grid& grid, double noise) {
  return check_within(norm_of(mean.values), norm_bound(clip, grid, mean.values.size(), noise),
                      clip);
}

Result<void> check_norm(const QuantizedUpdate& update, double clip, const Grid& grid) {
  const std::size_t entries = update.words.size() - 1;
  const double step = step_of(grid) / update.words.back();
  double squares = 0;
  for (std::size_t i = 0; i < entries; ++i) {
    const double value = update.words[i] * step - static_cast<double>(grid.range);
    squares += value * value;
  }
  return check_within(std::sqrt(squares), norm_bound(clip, grid, entries), clip);
}

Result<void> check_gate(double before, double candidate, double margin) {
  if (std::isfinite(candidate) && candidate <= before + margin) return {};
  return fail(Code::kBadInput,
              fmt::format("{:.4f} bits per byte on public held-out text, where the version before "
                          "has {:.4f} and the plan allows {:.4f} more: not published",
                          candidate, before, margin));
}

}  // namespace freshet
