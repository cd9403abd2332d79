#pragma once
// What can be asked of a sum when nothing else can: is it longer than clipped updates could make
// it, does it turn against the last one, does the model that it makes read public text worse than
// before. One opened update is a sum of one.

#include <span>

#include "aggregation/quantize.h"

namespace freshet {

// The longest that the mean of clipped updates can be: the clip, and what rounding adds at worst
// (less than one step of the grid in every entry). With noise of deviation `noise` in every entry
// of the mean, it is exceeded once in 1e9 rounds.
double norm_bound(double clip, const Grid& grid, std::size_t entries, double noise = 0);

double norm_of(std::span<const float> values);                      // L2
double cosine(std::span<const float> a, std::span<const float> b);  // 0 where one of them is zero

// kBadInput when the mean is longer than norm_bound(): somebody did not clip. The norm of the sum
// is at most m times the clip.
Result<void> check_norm(const MeanUpdate& mean, double clip, const Grid& grid, double noise = 0);
// The same of one opened update. REQUIRES: it passed add()'s checks.
Result<void> check_norm(const QuantizedUpdate& update, double clip, const Grid& grid);

// A candidate version against the one before, both measured on public held-out text, in bits per
// byte. kBadInput unless the candidate is a finite number and at most `margin` above.
Result<void> check_gate(double before, double candidate, double margin);

}  // namespace freshet
