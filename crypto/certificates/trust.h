#pragma once
// What a party believes: the root key that it pinned, the issuers that the root signed, and the
// newest revocation list. The three travel as one bundle that anybody may carry. As bytes: "FRT1",
// root key, u32 count and the issuers' certificates by rising epoch, u32 length and the list, which
// the issuer of the highest epoch signed.

#include <compare>

#include "crypto/certificates/revocations.h"

namespace freshet {

struct Issuer {
  Certificate certificate;
  Bytes bytes;
  bool operator==(const Issuer&) const = default;
};

// Which of two bundles of one root is newer. Never go back: an old bundle brings revoked parties
// back. The epoch goes first, so that an issuer that was replaced cannot outbid the one in office.
struct TrustSerial {
  std::uint32_t issuer_epoch = 0;
  std::uint64_t list = 0;
  auto operator<=>(const TrustSerial&) const = default;
};

struct Trust {
  SigningPublic root;
  std::vector<Issuer> issuers;  // rising epochs, 1 to limits::kIssuersMax
  RevocationList revocations;

  TrustSerial serial() const;
  bool operator==(const Trust&) const = default;
};

Digest root_digest(const SigningPublic& root);  // what join tokens carry

// REQUIRES: 1 to limits::kIssuersMax issuers' certificates by rising epoch.
Bytes make_bundle(const SigningPublic& root, const std::vector<Bytes>& issuers, ByteView list);

// Every signature is checked; dates are not, they are looked at when something is checked with it.
// kRefused: another root's, or a signature that does not fit. kBadInput: malformed.
Result<Trust> open_trust(const SigningPublic& root, ByteView bundle);
// For whoever has no more than the root's digest yet.
Result<Trust> open_trust(const Digest& root_digest, ByteView bundle);

// Chain, role, dates (of the certificate, its issuer and the list), revocation and epoch.
// kRefused: signature, role, another root, unknown issuer, revoked, replaced. kExpired: over.
// kUnavailable: not valid yet. Texts say which, of whom, and what to do.
Result<Certificate> check_certificate(const Trust& trust, ByteView certificate, Role wanted,
                                      std::int64_t now_s);
// The same for one whose bytes were checked before and may have been revoked or expired since:
// everything but the signature.
Result<void> check_standing(const Trust& trust, const Certificate& certificate, Role wanted,
                            std::int64_t now_s);

}  // namespace freshet
