#pragma once
// The discrete Fourier transform of 2^n complex numbers, in place (Cooley and Tukey 1965).

#include <complex>
#include <span>

namespace freshet {

enum class Direction { kForward, kInverse };  // the inverse divides by the length

// REQUIRES: the length is a power of two.
void transform(std::span<std::complex<double>> values, Direction direction);

}  // namespace freshet
