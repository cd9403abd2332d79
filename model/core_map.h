#pragma once
// The r x r core of each module's B (Fed-SB: Singhal et al. 2025, arXiv:2502.15436): B = O R, where
// O [out, r] has orthonormal columns that follow from the module's name and shape alone, so nobody
// sends them. Only R trains and travels: r^2 numbers a module, however wide it is. A is as it was
// begun with. An adapter holds the product B, so it is an adapter like any other.

#include <vector>

#include "model/adapter.h"

namespace freshet {

class CoreMap {
 public:
  // One entry a module whose B has at least as many rows as columns; the others stay as they are.
  explicit CoreMap(const Layout& whole);
  const Layout& layout() const { return layout_; }

  // O^T B of every module: of an adapter, or of a gradient over one.
  std::vector<float> of(const std::vector<float>& whole_values) const;
  // B += O delta.
  void add(const std::vector<float>& delta, std::vector<float>& adapter) const;

 private:
  struct Module {
    std::size_t out, rank, offset;  // of B in the whole adapter
    std::vector<float> columns;     // O^T [rank, out]
  };
  std::size_t whole_size_;
  Layout layout_;
  std::vector<Module> modules_;
};

}  // namespace freshet
