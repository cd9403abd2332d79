#include "crypto/secagg/shamir.h"

#include <gtest/gtest.h>
#include <sodium.h>

#include "base/rng.h"

namespace freshet::secagg {
namespace {

Scalar hex32(std::string_view text) { return digest_from_hex(text).value(); }

Scalar random_scalar() {
  Scalar scalar;
  crypto_core_ristretto255_scalar_random(scalar.data());
  return scalar;
}

Scalar small(std::uint32_t value) {
  Scalar scalar{};
  std::memcpy(scalar.data(), &value, sizeof value);
  return scalar;
}

Bytes joined(std::initializer_list<Scalar> scalars) {
  Bytes all;
  for (const Scalar& scalar : scalars) all.insert(all.end(), scalar.begin(), scalar.end());
  return all;
}

Scalar share_of(ByteView coefficients, std::uint32_t x) {
  Scalar share;
  evaluate(coefficients, x, share);
  return share;
}

// L - 1
constexpr std::string_view kLargest =
    "ecd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";
constexpr std::string_view kSecret =
    "132d0ca6e9a1f3ae316c12682d132ffa0f1112131415161718191a1b1c1d1e0f";

Bytes known_polynomial() {
  Scalar ones, twos;
  ones.fill(1), twos.fill(2);
  return joined({hex32(kSecret), ones, twos});
}

TEST(Shamir, KnownShares) {
  const Bytes f = known_polynomial();
  EXPECT_EQ(to_hex(share_of(f, 1)),
            "295c194cd241e4595ed21dc8511c53e8121415161718191a1b1c1d1e1f202102");
  EXPECT_EQ(to_hex(share_of(f, 2)),
            "30632053d948eb6065d924cf58235aef191b1c1d1e1f20212223242526272809");
  EXPECT_EQ(to_hex(share_of(f, 3)),
            "4e9a3501caf0e3139a473837853486e524262728292a2b2c2d2e2f3031323304");
}

TEST(Shamir, AnyThreeKnownSharesRebuildTheSecret) {
  const Bytes f = known_polynomial();
  for (std::uint32_t a = 1; a <= 5; ++a)
    for (std::uint32_t b = a + 1; b <= 5; ++b)
      for (std::uint32_t c = b + 1; c <= 5; ++c) {
        const std::vector<std::uint32_t> xs = {c, a, b};
        const std::vector<Scalar> shares = {share_of(f, c), share_of(f, a), share_of(f, b)};
        EXPECT_EQ(to_hex(combine(lagrange(xs), shares)), kSecret) << a << b << c;
      }
}

TEST(Shamir, TwoSharesOfThreeGiveSomethingElse) {
  const Bytes f = known_polynomial();
  const std::vector<std::uint32_t> xs = {1, 2};
  EXPECT_NE(to_hex(combine(lagrange(xs), std::vector{share_of(f, 1), share_of(f, 2)})), kSecret);
}

// Against the library's own arithmetic, term by term.
Scalar slow_share(std::span<const Scalar> coefficients, std::uint32_t x) {
  Scalar sum{};
  for (std::size_t i = coefficients.size(); i-- > 0;) {
    crypto_core_ristretto255_scalar_mul(sum.data(), sum.data(), small(x).data());
    crypto_core_ristretto255_scalar_add(sum.data(), sum.data(), coefficients[i].data());
  }
  return sum;
}

TEST(Shamir, EvaluationAgreesWithSlowArithmetic) {
  const std::uint64_t seed = 17;
  SCOPED_TRACE(seed);
  Rng rng(seed);
  for (int round = 0; round < 200; ++round) {
    std::vector<Scalar> coefficients;
    Bytes f;
    const std::uint64_t count = 1 + rng.below(40);
    for (std::uint64_t i = 0; i < count; ++i) {
      coefficients.push_back(round % 3 == 0 ? hex32(kLargest) : random_scalar());
      f.insert(f.end(), coefficients.back().begin(), coefficients.back().end());
    }
    const std::uint32_t x =
        round % 5 == 0 ? 10'000 : 1 + static_cast<std::uint32_t>(rng.below(10'000));
    ASSERT_EQ(share_of(f, x), slow_share(coefficients, x)) << count << " coefficients at " << x;
  }
}

TEST(Shamir, LagrangeGivesEveryPointOfThePolynomial) {
  Bytes f;
  for (int i = 0; i < 20; ++i) {
    const Scalar coefficient = random_scalar();
    f.insert(f.end(), coefficient.begin(), coefficient.end());
  }
  std::vector<std::uint32_t> xs;
  std::vector<Scalar> shares;
  for (std::uint32_t i = 0; i < 20; ++i) {
    xs.push_back(1 + 499 * i);
    shares.push_back(share_of(f, xs.back()));
  }
  for (const std::uint32_t at : {2u, 777u, 9'999u})
    EXPECT_EQ(combine(lagrange(xs, at), shares), share_of(f, at)) << at;
}

TEST(Shamir, ScalarsLieBelowTheOrder) {
  EXPECT_TRUE(is_scalar(hex32(kLargest)));
  EXPECT_FALSE(
      is_scalar(hex32("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010")));
  Scalar top;
  top.fill(0xff);
  EXPECT_FALSE(is_scalar(top));
  EXPECT_TRUE(is_scalar(Scalar{}));
  std::array<std::uint8_t, 64> wide;
  wide.fill(0xff);
  EXPECT_TRUE(is_scalar(reduce(wide)));
}

TEST(ShamirDeath, OneMemberTwiceIsABug) {
  const std::vector<std::uint32_t> xs = {3, 5, 3};
  EXPECT_DEATH(lagrange(xs), "twice");
  EXPECT_DEATH(share_of(known_polynomial(), 0), "a share of 0");
}

}  // namespace
}  // namespace freshet::secagg
