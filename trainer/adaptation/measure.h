#pragma once
// How well whatever gives logits predicts a text, and whether its certainty is what it says: the
// loss window by window, and the expected calibration error (Guo et al. 2017, arXiv:1706.04599).

#include <array>

#include "model/language_model.h"
#include "trainer/adaptation/logit_source.h"

namespace freshet {

// By how sure the likeliest token is, in equal parts of [0, 1]: how often it was right.
struct Calibration {
  static constexpr std::size_t kBins = 15;
  std::array<double, kBins> count{}, sure{}, right{};
  void add(float probability, bool is_right);
  void add(const Calibration& more);
  double error() const;  // mean over tokens of |share right - mean probability| of their part
};

struct Measured {
  Evaluation evaluation;
  std::vector<double> window_nll;  // nats, by window in order; the last may be a short one
  Calibration calibration;
};

// In windows of `window`, each seeing only itself, as evaluate() in trainer/finetune.h has them.
// Of tokens that count, where `counts` (by token) is not empty. kBadInput for fewer than two
// tokens, or a window longer than the source's positions.
Result<Measured> measure(LogitSource& source, std::span<const TokenId> tokens, std::uint64_t bytes,
                         int window, std::span<const std::uint8_t> counts = {});

}  // namespace freshet
