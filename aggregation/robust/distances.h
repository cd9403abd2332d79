#pragma once
// Squared Euclidean distances between all pairs of updates, added up block by block of their
// coordinates. What Krum and the geometric median know of updates is these numbers alone: n * n
// doubles, however long an update is.

#include <vector>

#include "aggregation/robust/opened.h"

namespace freshet {

class Distances {
 public:
  explicit Distances(std::size_t updates) : updates_(updates), squared_(updates * updates) {}

  std::size_t updates() const { return updates_; }
  double squared(std::size_t a, std::size_t b) const { return squared_[a * updates_ + b]; }
  std::span<const double> row(std::size_t update) const {
    return std::span(squared_).subspan(update * updates_, updates_);
  }

  void add(const OpenedBlock& block);  // REQUIRES: block.updates() == updates()

 private:
  std::size_t updates_;
  std::vector<double> squared_;  // [n,n], symmetric, zeros on the diagonal
};

}  // namespace freshet
