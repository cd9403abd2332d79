#pragma once
// A certificate says that an issuer knows a party: its role, its three public keys, dates and an
// epoch. As bytes: "FRC1", the fields in the order below (numbers little-endian), and the issuer's
// Ed25519 signature over "freshet/certificate/v1" and all before it; kCertificateBytes in all. What
// is read here is not yet believed: trust.h checks the chain.

#include <string>
#include <string_view>

#include "crypto/keys.h"

namespace freshet {

enum class Role : std::uint8_t { kIssuer, kCoordinator, kNode, kOperator };
std::string_view name_of(Role role);

enum Capability : std::uint32_t {  // bits of Certificate::capabilities
  kMayIssue = 1,                   // certificates and revocation lists
  kMayCoordinate = 2,
  kMayContribute = 4,  // be in a roster
  kMayOperate = 8,
};
std::uint32_t capabilities_of(Role role);  // what a party of this role gets

struct Certificate {
  Role role = Role::kNode;
  std::uint64_t serial = 0;  // of the authority's certificates, rising
  // The id that the party had when it first enrolled. It stays over rotations, and no roster may
  // hold it twice; id() changes with the signing key.
  NodeId device;
  PublicIdentity keys;
  std::int64_t not_before_s = 0, not_after_s = 0;  // seconds since 1970, both inclusive
  std::int64_t enrolled_s = 0;                     // when the device first came
  std::uint32_t epoch = 1;                         // rises by one with every rotation
  std::uint32_t capabilities = 0;
  SigningPublic issuer;  // of an issuer's own certificate: the root

  NodeId id() const { return keys.id(); }
  bool operator==(const Certificate&) const = default;
};

inline constexpr std::size_t kCertificateBytes = 4 + 1 + 8 + 8 + 96 + 24 + 8 + 32 + 64;

// REQUIRES: certificate.issuer is `issuer`'s signing key.
Bytes issue(const Certificate& certificate, const Identity& issuer);

// The fields, with the signature checked against the `issuer` that the certificate itself names:
// whole, but anybody's. kBadInput: malformed. kRefused: the signature is not that issuer's.
Result<Certificate> read_certificate(ByteView bytes);

// One line that a person can copy: "freshet-cert-1:" and base64. The signature is its check.
std::string certificate_text(ByteView bytes);
Result<Bytes> certificate_from_text(std::string_view text);

}  // namespace freshet
