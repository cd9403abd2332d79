#include "membership/command.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include "base/limits.h"
#include "crypto/key_file.h"
#include "membership/member.h"

namespace freshet::membership {
namespace {

Result<std::string> summary(const Membership& membership) {
  TRY_ASSIGN(const Certificate own, read_certificate(membership.certificate));
  std::string text =
      fmt::format("{} {:016x}, epoch {}, certified until {:%Y-%m-%d} by the authority at {}",
                  name_of(own.role), own.id().value, own.epoch,
                  fmt::gmtime(static_cast<std::time_t>(own.not_after_s)), membership.authority_at);
  if (membership.role != Role::kNode) return text;
  if (membership.coordinator.empty())
    return text + "\nno coordinator has joined yet; `freshet node run` asks for it";
  return text + "\ncoordinator at " + membership.coordinator_at;
}

}  // namespace

Result<std::string> join_command(const std::string& token, const JoinOptions& options) {
  std::string line = token;
  if (token == "-") {
    TRY_ASSIGN(line, read_all(STDIN_FILENO, "standard input", 16 * limits::kKiB));
  }
  TRY_ASSIGN(const JoinToken read, join_token_from_text(line));
  TRY_ASSIGN(const Membership membership, join(read, options));
  return summary(membership);
}

Result<void> catch_up(const Path& folder, int patience_ms, int stop) {
  TRY_ASSIGN(const std::optional<Membership> membership, load_membership(folder));
  if (!membership) return {};
  TRY_ASSIGN(const UniqueFd lock, lock_folder(folder));
  TRY(settle_rotation(folder));
  TRY_ASSIGN(const KeyRing keys, load_or_make_keys(folder));
  TRY_ASSIGN(const auto member, Member::open(folder, keys.identity, patience_ms));
  return member->refresh(patience_ms, stop);
}

Result<std::string> rotate_command(const JoinOptions& options) {
  TRY_ASSIGN(const Membership membership, rotate_keys(options));
  return summary(membership);
}

}  // namespace freshet::membership
