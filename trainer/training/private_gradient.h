#pragma once
// The gradient of one step of DP-SGD (Abadi et al. 2016, arXiv:1607.00133): of every example alone,
// clipped in L2, added up, with noise of `multiplier` times the clip. Clipped gradients are put
// onto a grid of clip / 2^18 towards zero, which lengthens none of them, and added as integers: the
// sum is exact, and its noise is a discrete Gaussian from exact samples (Canonne, Kamath and
// Steinke 2020) and not a float that tells what it was added to (Mironov 2012).

#include <cstdint>
#include <string_view>
#include <vector>

#include "crypto/digest.h"
#include "crypto/keyed_rng.h"
#include "crypto/secret.h"
#include "model/language_model.h"

namespace freshet {

// A stream of one step of one training.
KeyedRng rng_of_step(const Secret& key, std::string_view purpose, const Digest& training, int step);

class PrivateGradient {
 public:
  static constexpr int kGridBits = 18;
  static constexpr double kMultiplierMax = ExampleNoise::kMultiplierMax;

  // Of the entries that are trained; noise comes to no other. REQUIRES: clip > 0, 0 < multiplier <=
  // kMultiplierMax.
  PrivateGradient(const Layout& layout, bool train_a, bool train_b, float clip, double multiplier);

  void clear();
  // An example's gradient, of layout.size: its norm before the clip. Nothing is added where that is
  // no number.
  double add(const std::vector<float>& gradient);
  // What is left of it to learn from: (sum + noise) / examples, where `examples` is the number
  // expected and no number that was drawn.
  void release(KeyedRng& noise, double examples, std::vector<float>& gradient) const;

  // The sum so far, in steps of the grid, for what checks it.
  const std::vector<std::int64_t>& sum() const { return sum_; }
  double grid() const { return grid_; }

 private:
  struct Run {
    std::size_t offset, size;
  };
  std::vector<Run> trained_;
  double clip_, grid_, multiplier_;
  std::vector<std::int64_t> sum_;  // by entry of the layout
};

}  // namespace freshet
