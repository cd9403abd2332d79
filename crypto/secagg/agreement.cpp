#include "crypto/secagg/agreement.h"

#include <algorithm>

#include "crypto/secagg/shamir.h"
#include "crypto/sodium.h"

namespace freshet::secagg {
namespace {

using Point = std::array<std::uint8_t, crypto_core_ristretto255_BYTES>;

// The challenge of Fiat and Shamir over everything that the proof is about.
Scalar challenge(std::initializer_list<ByteView> points) {
  std::array<std::uint8_t, 64> wide;
  crypto_generichash_state state;
  crypto_generichash_init(&state, nullptr, 0, wide.size());
  const DomainPrefix domain("freshet/secagg/v1/agreement");
  crypto_generichash_update(&state, domain.view().data(), domain.view().size());
  for (ByteView point : points) crypto_generichash_update(&state, point.data(), point.size());
  crypto_generichash_final(&state, wide.data(), wide.size());
  return reduce(wide);
}

// z * base - e * image: what the prover began with, if `image` is c * base and z = k + e c.
bool undo(Point& commitment, const std::uint8_t* z, const std::uint8_t* e, const std::uint8_t* base,
          const std::uint8_t* image) {
  Point left, right;
  const int multiplied = base ? crypto_scalarmult_ristretto255(left.data(), z, base)
                              : crypto_scalarmult_ristretto255_base(left.data(), z);
  return multiplied == 0 && crypto_scalarmult_ristretto255(right.data(), e, image) == 0 &&
         crypto_core_ristretto255_sub(commitment.data(), left.data(), right.data()) == 0;
}

}  // namespace

MaskPublic mask_public(KeyView secret) {
  MaskPublic key;
  crypto_scalarmult_base(key.bytes.data(), secret.data());
  return key;
}

Result<void> agree_on_mask(KeyView secret, const MaskPublic& theirs, Key shared) {
  if (crypto_scalarmult(shared.data(), secret.data(), theirs.bytes.data()) != 0)
    return fail(Code::kBadInput, "a mask key of low order, which nobody can own");
  return {};
}

CipherPublic cipher_public(KeyView scalar) {
  CipherPublic key;
  CHECK(crypto_scalarmult_ristretto255_base(key.bytes.data(), scalar.data()) == 0);
  return key;
}

Result<void> agree_on_cipher(KeyView scalar, const CipherPublic& theirs, Key shared) {
  if (crypto_scalarmult_ristretto255(shared.data(), scalar.data(), theirs.bytes.data()) != 0)
    return fail(Code::kBadInput, "a cipher key that is no point of the group, or its identity");
  return {};
}

Evidence prove_agreement(KeyView scalar, const CipherPublic& theirs, const FillSecret& fill) {
  Evidence evidence;
  CHECK(agree_on_cipher(scalar, theirs, evidence.shared).has_value());
  std::array<std::uint8_t, 64> wide;
  fill(wide);
  Scalar nonce = reduce(wide), product;
  Point on_base, on_theirs;
  CHECK(crypto_scalarmult_ristretto255_base(on_base.data(), nonce.data()) == 0);
  CHECK(crypto_scalarmult_ristretto255(on_theirs.data(), nonce.data(), theirs.bytes.data()) == 0);
  const CipherPublic ours = cipher_public(scalar);
  const Scalar e = challenge({ours.bytes, theirs.bytes, evidence.shared, on_base, on_theirs});
  crypto_core_ristretto255_scalar_mul(product.data(), e.data(), scalar.data());
  std::copy(e.begin(), e.end(), evidence.proof.begin());
  crypto_core_ristretto255_scalar_add(evidence.proof.data() + 32, nonce.data(), product.data());
  sodium_memzero(wide.data(), wide.size());
  sodium_memzero(nonce.data(), nonce.size());
  sodium_memzero(product.data(), product.size());
  return evidence;
}

bool proves_agreement(const Evidence& evidence, const CipherPublic& ours,
                      const CipherPublic& theirs) {
  const std::uint8_t *e = evidence.proof.data(), *z = e + 32;
  if (!is_scalar(KeyView(e, 32)) || !is_scalar(KeyView(z, 32))) return false;
  Point on_base, on_theirs;
  if (!undo(on_base, z, e, nullptr, ours.bytes.data())) return false;
  if (!undo(on_theirs, z, e, theirs.bytes.data(), evidence.shared.data())) return false;
  const Scalar expected =
      challenge({ours.bytes, theirs.bytes, evidence.shared, on_base, on_theirs});
  return std::equal(expected.begin(), expected.end(), e);
}

}  // namespace freshet::secagg
