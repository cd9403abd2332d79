#include "crypto/secagg/agreement.h"

#include <gtest/gtest.h>
#include <sodium.h>

namespace freshet::secagg {
namespace {

using Bytes32 = std::array<std::uint8_t, 32>;

Bytes32 hex32(std::string_view text) { return digest_from_hex(text).value(); }

Bytes32 random_scalar() {
  Bytes32 scalar;
  crypto_core_ristretto255_scalar_random(scalar.data());
  return scalar;
}

TEST(Agreement, OfMasksIsX25519) {  // RFC 7748, 6.1
  const Bytes32 a = hex32("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
  EXPECT_EQ(to_hex(mask_public(a).bytes),
            "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
  Bytes32 shared;
  ASSERT_TRUE(agree_on_mask(
      a, {hex32("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f")}, shared));
  EXPECT_EQ(to_hex(shared), "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
}

TEST(Agreement, RefusesLowOrderMaskKeys) {
  Bytes32 secret{}, shared;
  secret.fill(7);
  for (std::string_view point :
       {"0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"})
    EXPECT_FALSE(agree_on_mask(secret, {hex32(point)}, shared)) << point;
}

TEST(Agreement, RefusesCipherKeysThatAreNoPointOrTheIdentity) {
  Bytes32 shared;
  const Bytes32 scalar = random_scalar();
  EXPECT_FALSE(agree_on_cipher(scalar, {Bytes32{}}, shared));
  Bytes32 no_point;
  no_point.fill(0xff);
  EXPECT_FALSE(agree_on_cipher(scalar, {no_point}, shared));
}

TEST(Agreement, OfCiphersIsTheSameFromBothEnds) {
  const Bytes32 a = random_scalar(), b = random_scalar();
  Bytes32 from_a, from_b;
  ASSERT_TRUE(agree_on_cipher(a, cipher_public(b), from_a));
  ASSERT_TRUE(agree_on_cipher(b, cipher_public(a), from_b));
  EXPECT_EQ(from_a, from_b);
}

struct Proved {
  Bytes32 a = random_scalar(), b = random_scalar();
  CipherPublic ours = cipher_public(a), theirs = cipher_public(b);
  Evidence evidence = prove_agreement(a, theirs, random_bytes);
};

TEST(Agreement, IsProvedToAThirdParty) {
  const Proved proved;
  EXPECT_TRUE(proves_agreement(proved.evidence, proved.ours, proved.theirs));
  Bytes32 shared;
  ASSERT_TRUE(agree_on_cipher(proved.b, proved.ours, shared));
  EXPECT_EQ(proved.evidence.shared, shared);
}

TEST(Agreement, AProofWithOneByteChangedProvesNothing) {
  const Proved proved;
  for (std::size_t i = 0; i < 96; ++i) {
    Evidence other = proved.evidence;
    (i < 32 ? other.shared[i] : other.proof[i - 32]) ^= 1;
    EXPECT_FALSE(proves_agreement(other, proved.ours, proved.theirs)) << "byte " << i;
  }
}

TEST(Agreement, AProofIsForThisPairAlone) {
  const Proved proved;
  const CipherPublic third = cipher_public(random_scalar());
  EXPECT_FALSE(proves_agreement(proved.evidence, proved.ours, third));
  EXPECT_FALSE(proves_agreement(proved.evidence, third, proved.theirs));
  EXPECT_FALSE(proves_agreement(proved.evidence, proved.theirs, proved.ours));
}

TEST(Agreement, NobodyProvesAnotherSecretThanTheAgreedOne) {
  Proved proved;
  const Evidence foreign =
      prove_agreement(random_scalar(), proved.theirs, random_bytes);  // of another key
  EXPECT_FALSE(proves_agreement(foreign, proved.ours, proved.theirs));
  proved.evidence.shared = foreign.shared;
  EXPECT_FALSE(proves_agreement(proved.evidence, proved.ours, proved.theirs));
}

}  // namespace
}  // namespace freshet::secagg
