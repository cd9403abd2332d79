#include "crypto/secagg/shamir.h"

#include <algorithm>
#include <bit>

#include "base/limits.h"
#include "crypto/sodium.h"

namespace freshet::secagg {
namespace {

static_assert(std::endian::native == std::endian::little);
using Wide = unsigned __int128;
using Limbs = std::array<std::uint64_t, 4>;

// L = 2^252 + kTail
constexpr std::array<std::uint64_t, 2> kTail = {0x5812631a5cf5d3ed, 0x14def9dea2f79cd6};
constexpr Limbs kOrder = {kTail[0], kTail[1], 0, 0x1000000000000000};
constexpr int kFactorBits = 14;
static_assert(limits::kCohortMax < (1u << kFactorBits));

Limbs load(const std::uint8_t* bytes) {
  Limbs limbs;
  std::memcpy(limbs.data(), bytes, sizeof limbs);
  return limbs;
}

// value * factor + addend modulo L, loosely: below 2^254 if the value was and addend < L. Modulo L,
// 2^252 is -kTail, so what stands above bit 252 is taken off times kTail; L is added first, which
// keeps the difference above zero.
void multiply_small(Limbs& value, std::uint64_t factor, const Limbs& addend) {
  std::array<std::uint64_t, 5> product;
  Wide carry = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    carry += static_cast<Wide>(value[i]) * factor + addend[i];
    product[i] = static_cast<std::uint64_t>(carry);
    carry >>= 64;
  }
  product[4] = static_cast<std::uint64_t>(carry);
  const std::uint64_t top = product[4] << 4 | product[3] >> 60;  // below 2^17
  product[3] &= 0x0fffffffffffffff;
  const Wide low = static_cast<Wide>(top) * kTail[0],
             high = static_cast<Wide>(top) * kTail[1] + static_cast<std::uint64_t>(low >> 64);
  const Limbs minus = {static_cast<std::uint64_t>(low), static_cast<std::uint64_t>(high),
                       static_cast<std::uint64_t>(high >> 64), 0};
  Wide sum = 0;
  std::uint64_t borrow = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    sum += static_cast<Wide>(product[i]) + kOrder[i];
    const Wide difference = static_cast<Wide>(static_cast<std::uint64_t>(sum)) - minus[i] - borrow;
    value[i] = static_cast<std::uint64_t>(difference);
    borrow = static_cast<std::uint64_t>(difference >> 64) & 1;
    sum >>= 64;
  }
}

void store_reduced(const Limbs& limbs, std::uint8_t* out) {
  std::array<std::uint8_t, 64> wide{};
  std::memcpy(wide.data(), limbs.data(), sizeof limbs);
  crypto_core_ristretto255_scalar_reduce(out, wide.data());
  sodium_memzero(wide.data(), wide.size());
}

// A product of small differences: its size and its sign apart.
struct Product {
  Limbs limbs = {1, 0, 0, 0};
  bool negative = false;
  void times(std::uint32_t a, std::uint32_t minus_b) {
    negative ^= a < minus_b;
    multiply_small(limbs, a < minus_b ? minus_b - a : a - minus_b, {});
  }
  Scalar scalar() const {
    Scalar value;
    store_reduced(limbs, value.data());
    if (negative) crypto_core_ristretto255_scalar_negate(value.data(), value.data());
    return value;
  }
};

Scalar times(const Scalar& a, const Scalar& b) {
  Scalar product;
  crypto_core_ristretto255_scalar_mul(product.data(), a.data(), b.data());
  return product;
}

// Every value to its inverse, at the price of one inversion and three products each (Montgomery).
void invert_all(std::span<Scalar> values) {
  std::vector<Scalar> before(values.size());  // the product of all values before each
  Scalar product{1};
  for (std::size_t i = 0; i < values.size(); ++i) {
    before[i] = product;
    product = times(product, values[i]);
  }
  Scalar inverse;
  CHECK(crypto_core_ristretto255_scalar_invert(inverse.data(), product.data()) == 0,
        "a zero among {} factors: shares of one member twice", values.size());
  for (std::size_t i = values.size(); i-- > 0;) {
    const Scalar mine = times(inverse, before[i]);
    inverse = times(inverse, values[i]);
    values[i] = mine;
  }
}

}  // namespace

Scalar reduce(std::span<const std::uint8_t, 64> wide) {
  Scalar scalar;
  crypto_core_ristretto255_scalar_reduce(scalar.data(), wide.data());
  return scalar;
}

bool is_scalar(KeyView bytes) {
  const Limbs value = load(bytes.data());
  return std::lexicographical_compare(value.rbegin(), value.rend(), kOrder.rbegin(), kOrder.rend());
}

void evaluate(std::span<const std::uint8_t> coefficients, std::uint32_t x, Key share) {
  CHECK(x >= 1 && x <= limits::kCohortMax, "a share of {}", x);
  CHECK(!coefficients.empty() && coefficients.size() % 32 == 0);
  Limbs value{};
  for (std::size_t at = coefficients.size(); at > 0; at -= 32)
    multiply_small(value, x, load(coefficients.data() + at - 32));
  store_reduced(value, share.data());
  sodium_memzero(value.data(), sizeof value);
}

std::vector<Scalar> lagrange(std::span<const std::uint32_t> xs, std::uint32_t at) {
  std::vector<Scalar> factors(xs.size());
  Product all;
  for (const std::uint32_t x : xs) all.times(x, at);
  for (std::size_t i = 0; i < xs.size(); ++i) {
    Product mine;
    mine.times(xs[i], at);
    for (std::size_t j = 0; j < xs.size(); ++j)
      if (j != i) mine.times(xs[j], xs[i]);
    factors[i] = mine.scalar();
  }
  invert_all(factors);
  const Scalar numerator = all.scalar();
  for (Scalar& factor : factors) factor = times(factor, numerator);
  return factors;
}

Scalar combine(std::span<const Scalar> factors, std::span<const Scalar> shares) {
  CHECK(factors.size() == shares.size(), "{} factors of {} shares", factors.size(), shares.size());
  Scalar sum{};
  for (std::size_t i = 0; i < factors.size(); ++i) {
    Scalar part = times(factors[i], shares[i]);
    crypto_core_ristretto255_scalar_add(sum.data(), sum.data(), part.data());
    sodium_memzero(part.data(), part.size());
  }
  return sum;
}

}  // namespace freshet::secagg
