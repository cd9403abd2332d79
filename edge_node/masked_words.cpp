#include "edge_node/masked_words.h"

#include <algorithm>

#include "aggregation/clip.h"
#include "aggregation/privacy/noisy_update.h"
#include "crypto/keyed_rng.h"

namespace freshet {
namespace {

FillRandom from(KeyedRng& rng) {
  return [&rng](std::span<std::uint32_t> out) {
    for (std::uint32_t& word : out) word = rng.next_u32();
  };
}

}  // namespace

Result<QuantizedUpdate> masked_words(const ClippedUpdate& contribution,
                                     const Descriptor& descriptor, const Secret& storage,
                                     const EvaluationTotals& totals) {
  const std::uint32_t weight = std::min(contribution.weight, descriptor.grid.weight_max);
  TRY_ASSIGN(Clipped clipped, clip(Update{contribution.values, weight}, descriptor.clip));
  KeyedRng rounding(storage, "freshet/rounding/v1", descriptor.campaign, descriptor.base);
  if (!descriptor.noise.on()) {
    QuantizedUpdate words = quantize(clipped.update, descriptor.grid, from(rounding));
    if (descriptor.extras != 0) append_evaluation(words, totals, descriptor.grid);
    return words;
  }
  const std::size_t entries = contribution.values.size();
  TRY_ASSIGN(const Noise noise,
             noise_of(descriptor.noise, descriptor.clip, descriptor.grid, entries));
  const bool within = clipped.norm_before <= descriptor.clip;
  QuantizedUpdate words = quantize_within(clipped.update, descriptor.grid, descriptor.noise, noise,
                                          within, from(rounding));
  KeyedRng noising(storage, "freshet/noise/v1", descriptor.campaign, descriptor.base);
  add_noise(words, noise, static_cast<int>(descriptor.word_bits), from(noising));
  return words;
}

}  // namespace freshet
