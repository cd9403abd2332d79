#pragma once
// How much of the result each update is, as far as distances decide it. Ties go to the lowest
// index.

#include <vector>

#include "aggregation/robust/distances.h"
#include "aggregation/robust/rule.h"

namespace freshet {

// Krum's score of each update: the sum of its squared distances to its n - byzantine - 2 nearest.
// REQUIRES: n >= byzantine + 3.
std::vector<double> krum_scores(const Distances& distances, std::uint32_t byzantine);

// Bulyan's n - 2 byzantine choices, in the order of choosing. REQUIRES: n >= 4 byzantine + 3.
std::vector<std::size_t> bulyan_choices(const Distances& distances, std::uint32_t byzantine);

// One share for each update, summing to 1. Krum: all to one; MultiKrum: evenly to those that it
// keeps; GeometricMedian: what Weiszfeld's passes end at (it stops before where nothing moves).
// Others, and Bulyan before its second half: evenly to those that are chosen. REQUIRES:
// check_enough(rule, n).
std::vector<double> shares_of(const RobustRule& rule, const Distances& distances);

}  // namespace freshet
