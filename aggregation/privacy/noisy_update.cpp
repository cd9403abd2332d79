#include "aggregation/privacy/noisy_update.h"

#include <fmt/core.h>

#include <cmath>

#include "aggregation/privacy/discrete_gaussian.h"
#include "base/check.h"

namespace freshet {
namespace {

std::uint32_t highest_level(const Grid& grid) { return (std::uint32_t{1} << grid.bits) - 1; }

std::uint32_t low_bits(int bits) { return bits == 32 ? ~0u : (1u << bits) - 1; }

// L2 of the words' distance to zero, which is the middle of the grid.
double norm_of(std::span<const std::uint32_t> words, const Grid& grid) {
  const double middle = highest_level(grid) / 2.0;
  double squares = 0;
  for (const std::uint32_t word : words) squares += (word - middle) * (word - middle);
  return std::sqrt(squares);
}

// A word as the number nearest to `middle` among those that are equal to it modulo 2^bits, less
// the middle.
double centred(std::uint32_t word, double middle, int bits) {
  const double modulus = std::ldexp(1.0, bits);
  return std::remainder(word - middle, modulus);
}

}  // namespace

QuantizedUpdate quantize_within(const ClippedUpdate& update, const Grid& grid,
                                const NoisePlan& plan, const Noise& noise, bool within,
                                const FillRandom& fill_random) {
  CHECK(update.weight == 1, "weight {} under noise", update.weight);
  const std::size_t entries = update.values.size();
  const double norm_max = noise.sensitivity - std::sqrt(static_cast<double>(entries)) / 2;
  constexpr int kTries = 4096;  // fewer than one in 2^1000 updates needs more
  for (int i = 0; i < kTries; ++i) {
    QuantizedUpdate quantized = quantize(update, grid, fill_random);
    if (norm_of(std::span(quantized.words).first(entries), grid) > norm_max) continue;
    if (plan.counts_clipped)
      quantized.words.insert(quantized.words.end() - 1, within ? highest_level(grid) : 0u);
    return quantized;
  }
  CHECK(false, "an update of {} entries above the clip that its noise is for", entries);
}

void add_noise(QuantizedUpdate& update, const Noise& noise, int bits,
               const FillRandom& fill_random) {
  CHECK(bits >= 1 && bits <= 32, "bits {}", bits);
  const bool counts = noise.count_variance_256 != 0;
  CHECK(update.words.size() > (counts ? 2u : 1u), "{} words", update.words.size());
  BitSource source(fill_random);
  auto disturb = [&](std::uint32_t& word, const DiscreteGaussian& draw) {
    word = (word + static_cast<std::uint32_t>(draw(source))) & low_bits(bits);
  };
  const DiscreteGaussian of_entries(noise.variance_256);
  const std::size_t entries = update.words.size() - (counts ? 2 : 1);
  for (std::size_t i = 0; i < entries; ++i) disturb(update.words[i], of_entries);
  if (counts) disturb(update.words[entries], DiscreteGaussian(noise.count_variance_256));
}

Result<NoisyMean> noisy_mean(const QuantizedSum& sum, const Grid& grid, const NoisePlan& plan,
                             int bits) {
  CHECK(sum.count > 0 && bits >= 1 && bits <= 32, "{} updates, {} bits", sum.count, bits);
  CHECK(sum.words.size() > words_of(plan, 0), "{} words", sum.words.size());
  if (sum.words.back() != sum.count)
    return fail(Code::kBadInput, fmt::format("{} updates sum to a weight of {}: under [privacy] "
                                             "each weighs 1",
                                             sum.count, sum.words.back()));
  const double top = highest_level(grid), middle = top * sum.count / 2;
  const double scale = 2.0 * grid.range / (top * sum.count);
  const std::size_t entries = sum.words.size() - words_of(plan, 0);
  NoisyMean noisy{{std::vector<float>(entries), static_cast<double>(sum.count), sum.count}, 0};
  for (std::size_t i = 0; i < entries; ++i)
    noisy.mean.values[i] = static_cast<float>(centred(sum.words[i], middle, bits) * scale);
  if (plan.counts_clipped)
    noisy.share_within = (centred(sum.words[entries], middle, bits) + middle) / (top * sum.count);
  return noisy;
}

}  // namespace freshet
