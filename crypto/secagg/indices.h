#pragma once
// Lists of places in a roster: rising and without repetition.

#include <algorithm>
#include <cstdint>
#include <functional>
#include <span>

namespace freshet::secagg {

inline bool rises(std::span<const std::uint32_t> indices) {
  return std::ranges::adjacent_find(indices, std::greater_equal()) == indices.end();
}

// REQUIRES: rises(indices).
inline bool holds(std::span<const std::uint32_t> indices, std::uint32_t index) {
  return std::ranges::binary_search(indices, index);
}

}  // namespace freshet::secagg
