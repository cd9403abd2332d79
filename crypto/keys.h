#pragma once
// The three key pairs of a party, each its own type and for one use: signing (Ed25519), transport
// (CURVE, X25519) and sealing (X25519). Public halves are plain values; secret halves live in
// Secret.

#include <array>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/result.h"
#include "crypto/secret.h"

namespace freshet {

template <class Use>
struct PublicKey {
  std::array<std::uint8_t, 32> bytes{};
  auto operator<=>(const PublicKey&) const = default;
};
using SigningPublic = PublicKey<struct SigningUse>;
using TransportPublic = PublicKey<struct TransportUse>;
using SealingPublic = PublicKey<struct SealingUse>;
using Signature = std::array<std::uint8_t, 64>;

struct PublicIdentity {
  SigningPublic signing;
  TransportPublic transport;
  SealingPublic sealing;
  NodeId id() const;  // first 8 bytes of BLAKE2b-256 of the signing key, little-endian
  bool operator==(const PublicIdentity&) const = default;
};

// kBadInput: a low-order transport or sealing key, which nobody can own and everybody agrees with.
Result<void> check_ownable(const PublicIdentity& identity);

// One line that a person can copy: "freshet-id-1:" and 192 hexadecimal digits, then 8 digits of
// check.
std::string to_text(const PublicIdentity& identity);
Result<PublicIdentity> public_identity_from_text(std::string_view text);

struct Identity {
  PublicIdentity open;
  Secret signing;    // 64 bytes, libsodium's form
  Secret transport;  // 32 bytes
  Secret sealing;    // 32 bytes
  static Identity generate();
};

Signature sign(const Identity& identity, std::string_view domain, ByteView bytes);
bool verify(const SigningPublic& key, std::string_view domain, ByteView bytes,
            const Signature& signature);

}  // namespace freshet
