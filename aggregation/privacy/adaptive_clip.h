#pragma once
// A clip that follows a quantile of the norms, learned under the same noise as the updates (Andrew
// et al. 2021, arXiv:1905.03871, algorithm 1 and theorem 1).

namespace freshet {

struct ClipRule {
  double quantile = 0.5, rate = 0.2;
};

// clip * exp(-rate * (share - quantile)), where `share` of the updates were within the clip. Noise
// may put the share outside [0, 1]: it counts as the nearest end.
double next_clip(double clip, double share_within, const ClipRule& rule);

// The multiplier of the updates' noise where the count of those within the clip gets noise of
// `count_sigma` nodes and both together must cost what `multiplier` costs.
// REQUIRES: multiplier < 2 * count_sigma.
double split_multiplier(double multiplier, double count_sigma);

}  // namespace freshet
