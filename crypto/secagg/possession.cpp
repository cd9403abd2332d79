#include "crypto/secagg/possession.h"

#include <algorithm>

#include "crypto/remembered_signatures.h"
#include "crypto/sodium.h"

namespace freshet::secagg {
namespace {

using RistrettoPoint = std::array<std::uint8_t, crypto_core_ristretto255_BYTES>;

Scalar challenge_of(const Claim& claim, const RistrettoPoint& commitment) {
  const Advert& advert = claim.advert;
  std::array<std::uint8_t, 64> wide;
  crypto_generichash_state state;
  crypto_generichash_init(&state, nullptr, 0, wide.size());
  const DomainPrefix domain("freshet/secagg/v1/possession");
  for (ByteView part : {domain.view(), ByteView(claim.sid), ByteView(claim.owner.bytes),
                        ByteView(advert.cipher.bytes), ByteView(advert.mask.bytes),
                        ByteView(advert.commit), ByteView(advert.nonce), ByteView(commitment)})
    crypto_generichash_update(&state, part.data(), part.size());
  crypto_generichash_final(&state, wide.data(), wide.size());
  return reduce(wide);
}

}  // namespace

Possession prove_possession(KeyView scalar, const Claim& claim, const FillSecret& fill) {
  std::array<std::uint8_t, 64> wide;
  fill(wide);
  Scalar nonce = reduce(wide), product;
  RistrettoPoint commitment;
  CHECK(crypto_scalarmult_ristretto255_base(commitment.data(), nonce.data()) == 0);
  const Scalar e = challenge_of(claim, commitment);
  crypto_core_ristretto255_scalar_mul(product.data(), e.data(), scalar.data());
  Possession proof;
  std::copy(e.begin(), e.end(), proof.begin());
  crypto_core_ristretto255_scalar_add(proof.data() + 32, nonce.data(), product.data());
  sodium_memzero(wide.data(), wide.size());
  sodium_memzero(nonce.data(), nonce.size());
  sodium_memzero(product.data(), product.size());
  return proof;
}

bool proves_possession(const Claim& claim) {
  const std::uint8_t *e = claim.advert.possession.data(), *z = e + 32;
  if (!is_scalar(KeyView(e, 32)) || !is_scalar(KeyView(z, 32))) return false;
  // z * base - e * key is what the prover began with, if z = nonce + e * secret.
  RistrettoPoint left, right, commitment;
  if (crypto_scalarmult_ristretto255_base(left.data(), z) != 0 ||
      crypto_scalarmult_ristretto255(right.data(), e, claim.advert.cipher.bytes.data()) != 0 ||
      crypto_core_ristretto255_sub(commitment.data(), left.data(), right.data()) != 0)
    return false;
  const Scalar expected = challenge_of(claim, commitment);
  return std::equal(expected.begin(), expected.end(), e);
}

Result<void> check_claim(const Claim& claim) {
  const Advert& advert = claim.advert;
  const std::array<std::array<std::uint8_t, 32>, 4> parts = {advert.cipher.bytes, advert.mask.bytes,
                                                             advert.commit, advert.nonce};
  for (std::size_t i = 0; i < parts.size(); ++i)
    for (std::size_t j = 0; j < i; ++j)
      if (parts[i] == parts[j])
        return fail(Code::kBadInput, "one value stands in two places of an advert");
  Bytes statement = to_bytes(as_bytes("claim"));
  for (ByteView part :
       {ByteView(claim.sid), ByteView(claim.owner.bytes), ByteView(advert.cipher.bytes),
        ByteView(advert.mask.bytes), ByteView(advert.commit), ByteView(advert.nonce),
        ByteView(advert.possession)})
    statement.insert(statement.end(), part.begin(), part.end());
  if (is_remembered(statement)) return {};
  // A clamped secret is a multiple of eight, so any of them shows a key of low order.
  const std::array<std::uint8_t, 32> any{1};
  std::array<std::uint8_t, 32> shared;
  TRY(agree_on_mask(any, advert.mask, shared));
  if (!proves_possession(claim))
    return fail(Code::kBadInput,
                "a cipher key whose secret its owner does not show to know for this round");
  remember_good(statement);
  return {};
}

}  // namespace freshet::secagg
