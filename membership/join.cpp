#include "membership/join.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "crypto/key_file.h"
#include "membership/authority_link.h"
#include "membership/trust_store.h"

namespace freshet::membership {
namespace {

constexpr int kApprovalMs = 2'000;  // between two looks

Result<authority::Joined> ask(AuthorityLink& link, const authority::Request& request,
                              const JoinOptions& options) {
  const SystemClock clock;
  const Instant until = clock.now() + options.wait_ms;
  for (bool told = false;; told = true) {
    TRY_ASSIGN(authority::Answer answer,
               link.ask(request, static_cast<int>(options.answer_ms), options.stop));
    if (auto* joined = std::get_if<authority::Joined>(&answer)) return std::move(*joined);
    if (const auto* denied = std::get_if<authority::Denied>(&answer))
      return fail(denied->code, "the authority says: " + denied->why);
    if (!std::holds_alternative<authority::Waiting>(answer))
      return fail(Code::kBadInput, "the authority answers another question");
    if (clock.now() >= until)
      return fail(Code::kUnavailable,
                  "the operator has not approved this machine yet; run the "
                  "same command again later");
    if (!told) log::info("waiting until the operator approves this machine");
    const std::int64_t left = until - clock.now();
    TRY(link.pause(static_cast<int>(std::min<std::int64_t>(left, kApprovalMs)), options.stop));
  }
}

// All that came, checked against the root, with our own keys in the certificate.
Result<Trust> check(const Trust& trust, const authority::Joined& joined, Role role,
                    const PublicIdentity& keys) {
  const std::int64_t now_s = wall_clock_s();
  TRY_ASSIGN(const Certificate own, check_certificate(trust, joined.certificate, role, now_s));
  if (own.keys != keys)
    return fail(Code::kRefused, "the authority certified other keys than this machine's");
  if (!joined.coordinator.empty())
    TRY(check_certificate(trust, joined.coordinator, Role::kCoordinator, now_s));
  return trust;
}

Result<void> write_down(const Path& folder, const Membership& membership, ByteView bundle) {
  // A bundle that is there already may be newer: it was seen, and stays.
  if (auto store = TrustStore::open(folder, membership.root); store) {
    if (auto taken = (*store)->take(bundle); !taken) return tl::unexpected(taken.error());
  } else {
    TRY(write_file_durably(folder / kBundleName, bundle, 0600));
  }
  return save_membership(folder, membership);
}

}  // namespace

Result<Membership> join(const JoinToken& token, const JoinOptions& options) {
  if (token.role != options.role)
    return fail(Code::kRefused,
                fmt::format("this token lets a {0} in: use it with `freshet {0} join`",
                            name_of(token.role)));
  TRY(make_folders(options.folder, 0700));
  TRY_ASSIGN(const UniqueFd lock, lock_folder(options.folder));
  TRY_ASSIGN(const std::optional<Membership> before, load_membership(options.folder));
  if (before && root_digest(before->root) != token.root)
    return fail(Code::kRefused, options.folder.string() +
                                    " belongs to another fleet; join this one from another --dir");
  TRY_ASSIGN(const KeyRing keys, load_or_make_keys(options.folder));
  TRY_ASSIGN(AuthorityLink link,
             AuthorityLink::connect(token.authority_at, keys.identity, token.authority));
  TRY_ASSIGN(const authority::Joined joined,
             ask(link, authority::make_join(token.secret, token.role, keys.identity), options));
  TRY_ASSIGN(const Trust trust, open_trust(token.root, joined.bundle));
  TRY(check(trust, joined, token.role, keys.identity.open));
  Membership membership{token.role,         trust.root,           token.authority,
                        token.authority_at, token.coordinator_at, joined.certificate,
                        joined.coordinator};
  TRY(write_down(options.folder, membership, joined.bundle));
  return membership;
}

Result<Membership> rotate_keys(const JoinOptions& options) {
  TRY_ASSIGN(const UniqueFd lock, lock_folder(options.folder));
  TRY_ASSIGN(std::optional<Membership> membership, load_membership(options.folder));
  if (!membership)
    return fail(Code::kBadInput, options.folder.string() +
                                     " has not joined a fleet; use `freshet " +
                                     std::string(name_of(options.role)) + " join TOKEN`");
  TRY(settle_rotation(options.folder));
  TRY_ASSIGN(const KeyRing now, load_or_make_keys(options.folder));
  TRY_ASSIGN(const KeyRing next, prepare_next_keys(options.folder));
  TRY_ASSIGN(AuthorityLink link, AuthorityLink::connect(membership->authority_at, next.identity,
                                                        membership->authority));
  TRY_ASSIGN(const authority::Joined joined,
             ask(link, authority::make_rotate(now.identity, next.identity), options));
  TRY_ASSIGN(const Trust trust, open_trust(membership->root, joined.bundle));
  TRY(check(trust, joined, membership->role, next.identity.open));
  membership->certificate = joined.certificate;
  membership->coordinator = joined.coordinator;
  TRY(write_down(options.folder, *membership, joined.bundle));
  TRY(use_next_keys(options.folder));
  return std::move(*membership);
}

Result<void> settle_rotation(const Path& folder) {
  std::error_code error;
  if (!std::filesystem::exists(folder / "identity.next", error)) return {};
  TRY_ASSIGN(const std::optional<Membership> membership, load_membership(folder));
  if (!membership) return {};
  TRY_ASSIGN(const Certificate own, read_certificate(membership->certificate));
  TRY_ASSIGN(const KeyRing next, prepare_next_keys(folder));
  if (own.keys != next.identity.open) return {};  // the authority has not certified them yet
  return use_next_keys(folder);
}

}  // namespace freshet::membership
