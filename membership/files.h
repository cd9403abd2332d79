#pragma once
// What joining leaves in a party's folder: membership.json (written last: it says that all is
// there), certificate and coordinator.certificate (one line each), trust.bundle.

#include <optional>

#include "base/files.h"
#include "crypto/certificates/trust.h"

namespace freshet::membership {

inline constexpr char kBundleName[] = "trust.bundle";

struct Membership {
  Role role = Role::kNode;
  SigningPublic root;
  TransportPublic authority;
  std::string authority_at, coordinator_at;
  Bytes certificate;  // this party's own
  Bytes coordinator;  // the coordinator's; empty while there is none, or for a coordinator
};

// Nothing when the folder never joined. kCorrupt when what is there does not fit together.
Result<std::optional<Membership>> load_membership(const Path& folder);
Result<void> save_membership(const Path& folder, const Membership& membership);
Result<void> save_coordinator(const Path& folder, ByteView certificate);

}  // namespace freshet::membership
