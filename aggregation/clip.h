#pragma once
// L2 clipping of one update: the bound on what one node can do to a sum (McMahan et al. 2018, eq.
// of section 3).

#include "aggregation/updates.h"
#include "base/result.h"

namespace freshet {

struct Clipped {
  ClippedUpdate update;
  double norm_before;  // L2
};

// values * min(1, norm_max / ||values||). kBadInput on NaN or infinity, naming the first such
// entry.
Result<Clipped> clip(Update update, double norm_max);

}  // namespace freshet
