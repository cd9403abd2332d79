#include "aggregation/privacy/discrete_gaussian.h"

#include <bit>
#include <cmath>

#include "base/check.h"

namespace freshet {
namespace {

__extension__ using Wide = unsigned __int128;

// True with probability numerator / denominator: the fraction's binary digits against random ones,
// two of them on average. REQUIRES: numerator <= denominator < 2^127.
bool flip(Wide numerator, Wide denominator, BitSource& bits) {
  if (numerator == denominator) return true;
  for (;;) {
    numerator <<= 1;
    const bool digit = numerator >= denominator;
    if (digit) numerator -= denominator;
    if (bits.bit() != digit) return digit;
  }
}

// True with probability exp(-numerator / denominator), for a fraction of at most 1.
bool flip_exp_of_fraction(Wide numerator, Wide denominator, BitSource& bits) {
  Wide k = 1;
  while (flip(numerator, denominator * k, bits)) ++k;
  return k % 2 == 1;
}

bool flip_exp(Wide numerator, Wide denominator, BitSource& bits) {
  for (Wide whole = numerator / denominator; whole > 0; --whole)
    if (!flip_exp_of_fraction(1, 1, bits)) return false;
  return flip_exp_of_fraction(numerator % denominator, denominator, bits);
}

std::uint64_t root_of(std::uint64_t square) {
  auto root = static_cast<std::uint64_t>(std::sqrt(static_cast<double>(square)));
  while (root * root > square) --root;
  while ((root + 1) * (root + 1) <= square) ++root;
  return root;
}

struct Signed {
  bool negative;
  std::uint64_t size;
};

// P(x) proportional to exp(-|x| / scale).
Signed discrete_laplace(std::uint64_t scale, BitSource& bits) {
  for (;;) {
    const std::uint64_t rest = bits.below(scale);
    if (!flip_exp_of_fraction(rest, scale, bits)) continue;
    std::uint64_t whole = 0;
    while (flip_exp_of_fraction(1, 1, bits)) ++whole;
    const Signed drawn{bits.bit(), rest + scale * whole};
    if (drawn.size != 0 || !drawn.negative) return drawn;
  }
}

}  // namespace

std::uint64_t BitSource::next_u64() {
  if (used_ == words_.size()) {
    fill_(words_);
    used_ = 0;
  }
  used_ += 2;
  return words_[used_ - 2] | std::uint64_t{words_[used_ - 1]} << 32;
}

bool BitSource::bit() {
  if (held_ == 0) {
    bits_ = next_u64();
    held_ = 64;
  }
  const bool lowest = bits_ & 1;
  bits_ >>= 1;
  --held_;
  return lowest;
}

std::uint64_t BitSource::below(std::uint64_t bound) {
  CHECK(bound > 0);
  const int width = std::bit_width(bound - 1);
  for (;;) {
    const std::uint64_t drawn = width == 0 ? 0 : next_u64() >> (64 - width);
    if (drawn < bound) return drawn;
  }
}

DiscreteGaussian::DiscreteGaussian(std::uint64_t variance_256)
    : variance_256_(variance_256), scale_(root_of(variance_256 / 256) + 1) {
  CHECK(variance_256 >= 1 && variance_256 <= kVarianceMax, "variance {}/256", variance_256);
}

std::int64_t DiscreteGaussian::operator()(BitSource& bits) const {
  // A proposal this far out is kept with probability below exp(-1900), and its square may not fit.
  constexpr std::uint64_t kFar = 64;
  const Wide denominator = Wide{2 * variance_256_} * 256 * scale_ * scale_;  // below 2^114
  for (;;) {
    const Signed drawn = discrete_laplace(scale_, bits);
    if (drawn.size >= kFar * scale_) continue;
    const std::uint64_t reach = drawn.size * scale_ * 256;  // below 2^63
    const std::uint64_t off = reach > variance_256_ ? reach - variance_256_ : variance_256_ - reach;
    if (!flip_exp(Wide{off} * off, denominator, bits)) continue;
    const auto size = static_cast<std::int64_t>(drawn.size);
    return drawn.negative ? -size : size;
  }
}

}  // namespace freshet
