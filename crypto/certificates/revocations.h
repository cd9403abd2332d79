#pragma once
// A revocation list: for every device that lost something, the least epoch whose certificate is
// still good. A revoked device has kRevoked there; a rotated one the epoch that it rotated to.
// Serials rise with every list and lists expire, so that nobody can be kept on an old one for long.
// As bytes: "FRL1", the fields in the order below, and the issuer's signature over
// "freshet/revocations/v1" and all before it.

#include <vector>

#include "crypto/certificates/certificate.h"

namespace freshet {

struct Revocation {
  static constexpr std::uint32_t kRevoked = 0xffffffff;
  NodeId device;
  std::uint32_t least_epoch = kRevoked;
  bool operator==(const Revocation&) const = default;
};

struct RevocationList {
  std::uint64_t serial = 0;
  std::int64_t issued_s = 0, expires_s = 0;
  SigningPublic issuer;
  std::vector<Revocation> entries;  // rising devices, at most limits::kRevocationsMax

  std::uint32_t least_epoch(NodeId device) const;  // 0: nothing is said about it
  bool operator==(const RevocationList&) const = default;
};

// REQUIRES: list.issuer is `issuer`'s signing key, entries in order and within their bound.
Bytes issue(const RevocationList& list, const Identity& issuer);

// As read_certificate: whole, but anybody's.
Result<RevocationList> read_revocations(ByteView bytes);

}  // namespace freshet
