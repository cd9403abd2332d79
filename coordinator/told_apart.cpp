#include "coordinator/told_apart.h"

#include <bit>
#include <cmath>
#include <cstdint>

#include "base/check.h"

namespace freshet {
namespace {

// Away from zero, so that no number of times leads back; by one bit.
float next_to(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if (bits == 0) return -0.0f;
  if (bits == std::bit_cast<std::uint32_t>(-0.0f)) return std::bit_cast<float>(std::uint32_t{1});
  const float next = std::bit_cast<float>(bits + 1);
  return std::isfinite(next) ? next : std::bit_cast<float>(bits - 1);
}

}  // namespace

std::vector<float> told_apart(std::vector<float> adapter, VersionId version) {
  CHECK(!adapter.empty(), "version {} has no numbers", version.value);
  float& one = adapter[version.value % adapter.size()];
  one = next_to(one);
  return adapter;
}

}  // namespace freshet
