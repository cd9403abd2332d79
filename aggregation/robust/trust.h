#pragma once
// Updates weighed by how far they point where the coordinator's own update on public text points
// (FLTrust: Cao et al. 2021, arXiv:2012.13995, algorithm 2). Needs single updates, and a text that
// stands for all.

#include <span>
#include <vector>

#include "base/result.h"

namespace freshet {

// Each update's trust is the cosine with `own`, at least 0; each is scaled to own's norm. Zero
// where nobody is trusted. kBadInput for lengths that differ or a value that is no finite number.
Result<std::vector<double>> trusted_mean(std::span<const float> own,
                                         std::span<const std::vector<float>> updates);

}  // namespace freshet
