#pragma once
// What an authority signs, without one.

#include "crypto/certificates/trust.h"
#include "tests/temp_folder.h"

namespace freshet::membership {

inline constexpr std::int64_t kNow = 1'800'000'000, kDay = 86'400;

struct Signer {
  Identity root = Identity::generate(), issuer = Identity::generate();
  std::uint64_t serial = 0;
  std::int64_t now_s = kNow;

  Bytes bundle(std::uint64_t list, std::vector<Revocation> revoked = {},
               std::optional<std::int64_t> expires_s = std::nullopt) const {
    const Certificate own{.role = Role::kIssuer,
                          .serial = 1,
                          .device = issuer.open.id(),
                          .keys = issuer.open,
                          .not_before_s = now_s - kDay,
                          .not_after_s = now_s + 1000 * kDay,
                          .enrolled_s = now_s - kDay,
                          .epoch = 1,
                          .capabilities = kMayIssue,
                          .issuer = root.open.signing};
    const RevocationList revocations{list, now_s - kDay, expires_s.value_or(now_s + 7 * kDay),
                                     issuer.open.signing, std::move(revoked)};
    return make_bundle(root.open.signing, {issue(own, root)}, issue(revocations, issuer));
  }
  Bytes certificate(const Identity& party, Role role = Role::kNode, std::uint32_t epoch = 1,
                    NodeId device = {}) {
    return issue({.role = role,
                  .serial = ++serial,
                  .device = device == NodeId{} ? party.open.id() : device,
                  .keys = party.open,
                  .not_before_s = now_s - kDay,
                  .not_after_s = now_s + 30 * kDay,
                  .enrolled_s = now_s - kDay,
                  .epoch = epoch,
                  .capabilities = capabilities_of(role),
                  .issuer = issuer.open.signing},
                 issuer);
  }
};

}  // namespace freshet::membership
