#pragma once
// The last step of every robust rule: one value for each coordinate, of the values that all updates
// have there.

#include "aggregation/robust/opened.h"
#include "aggregation/robust/rule.h"
#include "base/result.h"

namespace freshet {

// Median, TrimmedMean and Bulyan's second half of the rows with a share; the sum of shares times
// rows for the others. `shares`: of shares_of(), one for each row. Doubles, summed pairwise.
std::vector<double> combine(const RobustRule& rule, std::span<const double> shares,
                            const OpenedBlock& block);

// A whole rule over vectors in memory: distances, shares, combination. kBadInput where
// check_enough() says so, lengths differ, or any value is no finite number: that is looked at
// before any rule sees one (a NaN wins a comparison that a rule never meant to make), and the
// message names update and entry.
Result<std::vector<double>> robust_mean(const RobustRule& rule,
                                        std::span<const std::vector<float>> updates);

}  // namespace freshet
