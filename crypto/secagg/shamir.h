#pragma once
// Shamir's sharing of scalars of Z_L, L = 2^252 + 27742317777372353535851937790883648493 (the order
// of ristretto255). The share of x = 0 is the secret; members hold x = index + 1.

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "crypto/secagg/agreement.h"

namespace freshet::secagg {

using Scalar = std::array<std::uint8_t, 32>;  // little-endian, below L

Scalar reduce(std::span<const std::uint8_t, 64> wide);
bool is_scalar(KeyView bytes);  // below L

// f(x) for f = coefficients[0] + coefficients[1] x + ..., 32 bytes each. Time depends on their
// number and on nothing secret. REQUIRES: 1 <= x <= limits::kCohortMax.
void evaluate(std::span<const std::uint8_t> coefficients, std::uint32_t x, Key share);

// The factors by which shares at `xs` add up to f(at). REQUIRES: xs distinct.
std::vector<Scalar> lagrange(std::span<const std::uint32_t> xs, std::uint32_t at = 0);
// sum of factors[i] * shares[i]
Scalar combine(std::span<const Scalar> factors, std::span<const Scalar> shares);

}  // namespace freshet::secagg
