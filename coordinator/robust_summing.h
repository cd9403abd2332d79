#pragma once
// A robust rule over the opened updates of a round. A coordinate rule wants all updates at once, so
// their coordinates come in blocks: every update is opened once for each block and only the block's
// part of it kept, twice where distances decide. Memory: limits::kRobustBlockBytes, one opened
// update and the mean; for rules by distance also 8 n^2 bytes.

#include "coordinator/summing.h"

namespace freshet {

struct RobustSum {
  MeanUpdate mean;
  std::vector<NodeId> spoiled;  // not empty: as in Sum, and there is no mean
};
// REQUIRES: needs_single_updates(sum.rule), and check_enough(sum.rule, sum.parts.size()).
Result<RobustSum> robust_sum(const BlobStore& uploads, const RoundShape& shape,
                             const Identity& coordinator, const SumPlan& sum);

// One update, opened and found to be a valid part of a sum: within the grid, and no longer than the
// clip allows.
Result<QuantizedUpdate> open_part(ByteView sealed, const RoundShape& shape,
                                  const Identity& coordinator, const UpdateContext& context);

}  // namespace freshet
