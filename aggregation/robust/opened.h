#pragma once
// Some coordinates of many opened updates: rows of single vectors, as robust rules read them.
// Filled from QuantizedUpdates (the mode that opens them) or from vectors (means of groups);
// nothing masked fits in.

#include <cstddef>
#include <span>
#include <vector>

#include "aggregation/updates.h"

namespace freshet {

class OpenedBlock {
 public:
  OpenedBlock(std::size_t updates, std::size_t entries)
      : updates_(updates), entries_(entries), values_(updates * entries) {}

  std::size_t updates() const { return updates_; }
  std::size_t entries() const { return entries_; }
  std::span<const float> row(std::size_t update) const {
    return std::span(values_).subspan(update * entries_, entries_);
  }

  // Coordinates [first, first + entries()) of an update, in steps of its grid: whole numbers below
  // 2^24, which a float holds exactly. REQUIRES: the update's weight is 1 and it passed add()'s
  // checks.
  void set(std::size_t update, const QuantizedUpdate& opened, std::size_t first);
  void set(std::size_t update, std::span<const float> values, std::size_t first);

 private:
  std::size_t updates_, entries_;
  std::vector<float> values_;
};

}  // namespace freshet
