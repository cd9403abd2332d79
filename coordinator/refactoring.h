#pragma once
// The last part of a round of a method that re-factors: every module of a whole adapter gets the
// factors of aggregation/refactor.h. The product of each stays.

#include <vector>

#include "model/adapter.h"

namespace freshet {

// REQUIRES: `adapter` has the layout of a whole adapter, and is finite.
void refactor_modules(const Layout& whole, std::vector<float>& adapter);

}  // namespace freshet
