#include "aggregation/robust/distances.h"

#include <algorithm>
#include <array>

#include "base/check.h"

namespace freshet {
namespace {

constexpr std::size_t kLanes = 8, kLeaf = 256;

double squared_leaf(const float* a, const float* b, std::size_t count) {
  std::array<double, kLanes> lanes{};
  std::size_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const double apart = static_cast<double>(a[i + lane]) - static_cast<double>(b[i + lane]);
      lanes[lane] += apart * apart;
    }
  for (; i < count; ++i) {
    const double apart = static_cast<double>(a[i]) - static_cast<double>(b[i]);
    lanes[0] += apart * apart;
  }
  return ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) +
         ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
}

// Pairwise summation: the error grows with the logarithm of the length.
double squared_apart(const float* a, const float* b, std::size_t count) {
  if (count <= kLeaf) return squared_leaf(a, b, count);
  const std::size_t half = std::max(kLeaf, count / 2 / kLeaf * kLeaf);
  return squared_apart(a, b, half) + squared_apart(a + half, b + half, count - half);
}

constexpr std::size_t kTile = 4096;  // coordinates at a time, so that rows stay in the cache

}  // namespace

void Distances::add(const OpenedBlock& block) {
  CHECK(block.updates() == updates_, "a block of {} updates for {}", block.updates(), updates_);
  for (std::size_t first = 0; first < block.entries(); first += kTile) {
    const std::size_t count = std::min(kTile, block.entries() - first);
    for (std::size_t a = 0; a < updates_; ++a)
      for (std::size_t b = a + 1; b < updates_; ++b)
        squared_[a * updates_ + b] +=
            squared_apart(block.row(a).data() + first, block.row(b).data() + first, count);
  }
  for (std::size_t a = 0; a < updates_; ++a)
    for (std::size_t b = a + 1; b < updates_; ++b)
      squared_[b * updates_ + a] = squared_[a * updates_ + b];
}

}  // namespace freshet
