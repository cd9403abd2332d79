#include "aggregation/privacy/fft.h"

#include <bit>
#include <cmath>
#include <utility>
#include <vector>

#include "base/check.h"

namespace freshet {
namespace {

using Complex = std::complex<double>;

// Without the checks for NaN that operator* makes.
Complex product(Complex a, Complex b) {
  return {a.real() * b.real() - a.imag() * b.imag(), a.real() * b.imag() + a.imag() * b.real()};
}

void reverse_bits(std::span<Complex> values) {
  for (std::size_t i = 1, j = 0; i < values.size(); ++i) {
    std::size_t bit = values.size() >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) std::swap(values[i], values[j]);
  }
}

}  // namespace

void transform(std::span<Complex> values, Direction direction) {
  const std::size_t n = values.size();
  CHECK(std::has_single_bit(n), "{} numbers", n);
  const double turn = (direction == Direction::kForward ? -2 : 2) * M_PI / static_cast<double>(n);
  std::vector<Complex> roots(n / 2);
  for (std::size_t i = 0; i < roots.size(); ++i)
    roots[i] = std::polar(1.0, turn * static_cast<double>(i));
  reverse_bits(values);
  for (std::size_t half = 1; half < n; half *= 2) {
    const std::size_t stride = n / (2 * half);
    for (std::size_t begin = 0; begin < n; begin += 2 * half)
      for (std::size_t i = 0; i < half; ++i) {
        Complex &low = values[begin + i], &high = values[begin + i + half];
        const Complex turned = product(high, roots[i * stride]);
        high = low - turned;
        low += turned;
      }
  }
  if (direction == Direction::kInverse)
    for (Complex& value : values) value /= static_cast<double>(n);
}

}  // namespace freshet
