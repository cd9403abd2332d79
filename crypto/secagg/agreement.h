#pragma once
// Ephemeral Diffie-Hellman of one masked round. Masks agree over X25519 (RFC 7748). Shares travel
// under keys agreed over ristretto255 (RFC 9496), where the owner of a key can show a third party
// what it agreed on (Chaum and Pedersen 1992) and a complaint about a bad box can be judged.

#include <array>
#include <functional>
#include <span>

#include "crypto/keys.h"

namespace freshet::secagg {

using CipherPublic = PublicKey<struct CipherUse>;  // ristretto255: agrees on what seals shares
using MaskPublic = PublicKey<struct MaskUse>;      // X25519: agrees on masks

using Key = std::span<std::uint8_t, 32>;  // a secret of 32 bytes in somebody's memory
using KeyView = std::span<const std::uint8_t, 32>;

// Fills a span with secret random bytes: random_bytes, but for seeded simulations and known
// answers.
using FillSecret = std::function<void(std::span<std::uint8_t>)>;

MaskPublic mask_public(KeyView secret);
// kBadInput when `theirs` is a low-order point.
Result<void> agree_on_mask(KeyView secret, const MaskPublic& theirs, Key shared);

CipherPublic cipher_public(KeyView scalar);
// kBadInput when `theirs` is no point of the group or its identity.
Result<void> agree_on_cipher(KeyView scalar, const CipherPublic& theirs, Key shared);

// What two parties agreed on, and a proof by one of them that it is that.
struct Evidence {
  std::array<std::uint8_t, 32> shared;
  std::array<std::uint8_t, 64> proof;  // challenge || response
  bool operator==(const Evidence&) const = default;
};
// REQUIRES: agree_on_cipher(scalar, theirs) is no error.
Evidence prove_agreement(KeyView scalar, const CipherPublic& theirs, const FillSecret& fill);
bool proves_agreement(const Evidence& evidence, const CipherPublic& ours,
                      const CipherPublic& theirs);

}  // namespace freshet::secagg
