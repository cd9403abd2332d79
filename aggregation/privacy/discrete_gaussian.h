#pragma once
// Exact samples of a discrete Gaussian: integers and rational coin flips only, so that no rounding
// of a float shows which numbers can come out (Canonne, Kamath and Steinke 2020, arXiv:2004.00010,
// algorithms 1 to 3; the attack: Mironov 2012).

#include <array>
#include <cstdint>

#include "aggregation/quantize.h"

namespace freshet {

// Fair bits and uniform numbers of a random stream.
class BitSource {
 public:
  explicit BitSource(FillRandom fill) : fill_(std::move(fill)) {}
  bool bit();
  std::uint64_t below(std::uint64_t bound);  // uniform, by rejection. REQUIRES: bound > 0

 private:
  std::uint64_t next_u64();
  FillRandom fill_;
  std::array<std::uint32_t, 512> words_{};
  std::size_t used_ = 512;
  std::uint64_t bits_ = 0;
  int held_ = 0;
};

// P(x) is proportional to exp(-x^2 / (2 sigma^2)), with sigma^2 = variance_256 / 256.
class DiscreteGaussian {
 public:
  // REQUIRES: 1 <= variance_256 <= kVarianceMax.
  explicit DiscreteGaussian(std::uint64_t variance_256);
  std::int64_t operator()(BitSource& bits) const;

  static constexpr std::uint64_t kVarianceMax = std::uint64_t{1} << 56;  // sigma 2^24

 private:
  std::uint64_t variance_256_, scale_;  // of the Laplace distribution that proposals come from
};

}  // namespace freshet
