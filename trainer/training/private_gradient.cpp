#include "trainer/training/private_gradient.h"

#include <algorithm>
#include <cmath>

#include "aggregation/privacy/discrete_gaussian.h"
#include "base/check.h"

namespace freshet {

KeyedRng rng_of_step(const Secret& key, std::string_view purpose, const Digest& training,
                     int step) {
  const std::string name = std::string(purpose) + ":" + to_hex(training);
  return KeyedRng(key, name, CampaignId{0}, VersionId{static_cast<std::uint64_t>(step)});
}

PrivateGradient::PrivateGradient(const Layout& layout, bool train_a, bool train_b, float clip,
                                 double multiplier)
    : clip_(static_cast<double>(clip)),
      grid_(std::ldexp(clip_, -kGridBits)),
      multiplier_(multiplier),
      sum_(layout.size, 0) {
  CHECK(clip_ > 0 && std::isfinite(clip_) && multiplier > 0 && multiplier <= kMultiplierMax,
        "clip {}, multiplier {}", clip_, multiplier);
  for (const LayoutEntry& entry : layout.entries)
    if (entry.factor == Factor::kA ? train_a : train_b)
      trained_.push_back({entry.offset, entry.size()});
}

void PrivateGradient::clear() { std::ranges::fill(sum_, 0); }

double PrivateGradient::add(const std::vector<float>& gradient) {
  CHECK(gradient.size() == sum_.size(), "{} of {} entries", gradient.size(), sum_.size());
  double square = 0;
  for (const Run& run : trained_)
    for (std::size_t i = run.offset; i < run.offset + run.size; ++i)
      square += double{gradient[i]} * gradient[i];
  const double norm = std::sqrt(square);
  if (!std::isfinite(norm)) return norm;
  // A hair below the clip, so that no rounding of these few operations passes it.
  const double factor = (norm > clip_ ? clip_ / norm : 1.0) * (1 - 0x1p-40) / grid_;
  for (const Run& run : trained_)
    for (std::size_t i = run.offset; i < run.offset + run.size; ++i)
      sum_[i] += static_cast<std::int64_t>(double{gradient[i]} * factor);
  return norm;
}

void PrivateGradient::release(KeyedRng& noise, double examples,
                              std::vector<float>& gradient) const {
  BitSource bits([&noise](std::span<std::uint32_t> words) {
    for (std::uint32_t& word : words) word = noise.next_u32();
  });
  const double sigma = multiplier_ * std::ldexp(1.0, kGridBits);
  const DiscreteGaussian draw(static_cast<std::uint64_t>(std::ceil(sigma * sigma * 256)));
  std::ranges::fill(gradient, 0.0f);
  for (const Run& run : trained_)
    for (std::size_t i = run.offset; i < run.offset + run.size; ++i)
      gradient[i] =
          static_cast<float>(static_cast<double>(sum_[i] + draw(bits)) * grid_ / examples);
}

}  // namespace freshet
