#include "aggregation/privacy/adaptive_clip.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace freshet {

double next_clip(double clip, double share_within, const ClipRule& rule) {
  CHECK(std::isfinite(share_within), "share {}", share_within);
  const double share = std::clamp(share_within, 0.0, 1.0);
  return clip * std::exp(-rule.rate * (share - rule.quantile));
}

double split_multiplier(double multiplier, double count_sigma) {
  const double of_both = 1 / (multiplier * multiplier);
  const double of_count = 1 / (4 * count_sigma * count_sigma);
  CHECK(of_both > of_count, "multiplier {}, noise of {} nodes", multiplier, count_sigma);
  return 1 / std::sqrt(of_both - of_count);
}

}  // namespace freshet
