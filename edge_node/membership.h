#pragma once
// What a node holds since it joined: its certificate, and the newest trust bundle that it has seen
// of the root that it pinned. In its folder: certificate.bin, trust.bin, root.hex. Public, and
// checked whenever it is read.

#include <optional>

#include "base/files.h"
#include "crypto/certificates/trust.h"

namespace freshet {

struct Membership {
  Bytes certificate;
  Trust trust;
  Bytes bundle;  // of `trust`
};

// Durable when it returns.
Result<void> save_membership(const Path& folder, const SigningPublic& root, ByteView certificate,
                             ByteView bundle);
// Nothing where the node has not joined. Dates and revocations are not looked at: a newer bundle
// may be on its way, and every roster checks them. kRefused where the certificate is not this
// identity's.
Result<std::optional<Membership>> load_membership(const Path& folder, const PublicIdentity& own);
std::string how_to_join(const Path& folder);  // "join with: ..."
// Takes a bundle that is newer, durably; false where it is not newer. Errors of open_trust().
Result<bool> renew_trust(Membership& membership, const Path& folder, ByteView bundle);

}  // namespace freshet
