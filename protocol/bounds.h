#pragma once
// The checks that plans are made of: kBadInput names the field, its value and its bounds.

#include <fmt/core.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string_view>

#include "base/result.h"

namespace freshet {

template <class T>
Result<void> within(std::string_view field, T value, T low, T high) {
  if (value >= low && value <= high) return {};
  return fail(Code::kBadInput,
              fmt::format("{} is {}: it must be in [{}, {}]", field, value, low, high));
}

inline Result<void> above_zero(std::string_view field, double value) {
  if (std::isfinite(value) && value > 0) return {};
  return fail(Code::kBadInput,
              fmt::format("{} is {}: it must be a finite number above 0", field, value));
}

inline Result<void> seed_within(std::string_view field, std::uint64_t value) {  // what TOML holds
  return within<std::uint64_t>(field, value, 0, std::numeric_limits<std::int64_t>::max());
}

}  // namespace freshet
