#include "aggregation/clip.h"

#include <fmt/core.h>

#include <bit>
#include <cmath>

#include "base/check.h"

namespace freshet {
namespace {

Result<double> norm_of(const std::vector<float>& values) {
  double squares = 0;
  for (const float value : values) squares += static_cast<double>(value) * value;
  if (std::isfinite(squares)) return std::sqrt(squares);
  for (std::size_t i = 0; i < values.size(); ++i)
    if (!std::isfinite(values[i]))
      return fail(
          Code::kBadInput,
          fmt::format(
              "entry {} of {} of the update is {}: training diverged; lower the learning rate", i,
              values.size(), values[i]));
  CHECK(false, "finite floats overflowed a double: {} entries", values.size());
}

// The nearest float that is not larger in magnitude: rounding must not push the norm over the
// bound.
float toward_zero(double value) {
  const auto nearest = static_cast<float>(value);
  const bool larger = std::fabs(static_cast<double>(nearest)) > std::fabs(value);
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(nearest) - (larger ? 1u : 0u));
}

}  // namespace

Result<Clipped> clip(Update update, double norm_max) {
  CHECK(std::isfinite(norm_max) && norm_max > 0, "norm_max {}", norm_max);
  TRY_ASSIGN(const double norm, norm_of(update.values));
  if (norm > norm_max) {
    const double scale = norm_max / norm;
    for (float& value : update.values) value = toward_zero(value * scale);
  }
  return Clipped{{std::move(update.values), update.weight}, norm};
}

}  // namespace freshet
