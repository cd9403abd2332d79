#include "membership/files.h"

#include "base/json.h"
#include "base/limits.h"

namespace freshet::membership {
namespace {

constexpr char kMembershipName[] = "membership.json", kCertificateName[] = "certificate",
               kCoordinatorName[] = "coordinator.certificate";
constexpr std::size_t kBytesMax = 16 * limits::kKiB;

Result<Bytes> read_line(const Path& path) {
  TRY_ASSIGN(const std::string text, read_file(path, kBytesMax));
  auto bytes = certificate_from_text(text);
  if (!bytes) return fail_in(path.string(), bytes.error());
  return std::move(*bytes);
}

Result<Membership> read_membership(const Path& folder) {
  const std::string source = (folder / kMembershipName).string();
  TRY_ASSIGN(const std::string text, read_file(source, kBytesMax));
  TRY_ASSIGN(const Json json, parse_json(text, source));
  Membership membership;
  TRY_ASSIGN(const std::string role, json_get<std::string>(json, "role", source));
  membership.role = role == name_of(Role::kCoordinator) ? Role::kCoordinator : Role::kNode;
  TRY_ASSIGN(const std::string root, json_get<std::string>(json, "root", source));
  TRY_ASSIGN(membership.root.bytes, digest_from_hex(root));
  TRY_ASSIGN(const std::string authority, json_get<std::string>(json, "authority", source));
  TRY_ASSIGN(membership.authority.bytes, digest_from_hex(authority));
  TRY_ASSIGN(membership.authority_at, json_get<std::string>(json, "authority_at", source));
  TRY_ASSIGN(membership.coordinator_at, json_get<std::string>(json, "coordinator_at", source));
  TRY_ASSIGN(membership.certificate, read_line(folder / kCertificateName));
  std::error_code error;
  if (std::filesystem::exists(folder / kCoordinatorName, error)) {
    TRY_ASSIGN(membership.coordinator, read_line(folder / kCoordinatorName));
  }
  return membership;
}

}  // namespace

Result<std::optional<Membership>> load_membership(const Path& folder) {
  std::error_code error;
  if (!std::filesystem::exists(folder / kMembershipName, error)) return std::optional<Membership>();
  auto membership = read_membership(folder);
  if (!membership)
    return fail(Code::kCorrupt, membership.error().what +
                                    "; restore the folder from a backup, or join again from a "
                                    "fresh --dir");
  return std::optional<Membership>(std::move(*membership));
}

Result<void> save_coordinator(const Path& folder, ByteView certificate) {
  return write_file_durably(folder / kCoordinatorName,
                            as_bytes(certificate_text(certificate) + "\n"), 0600);
}

Result<void> save_membership(const Path& folder, const Membership& membership) {
  TRY(write_file_durably(folder / kCertificateName,
                         as_bytes(certificate_text(membership.certificate) + "\n"), 0600));
  if (!membership.coordinator.empty()) TRY(save_coordinator(folder, membership.coordinator));
  const Json json{{"role", name_of(membership.role)},
                  {"root", to_hex(membership.root.bytes)},
                  {"authority", to_hex(membership.authority.bytes)},
                  {"authority_at", membership.authority_at},
                  {"coordinator_at", membership.coordinator_at}};
  return write_file_durably(folder / kMembershipName, as_bytes(to_text(json, 2) + "\n"), 0600);
}

}  // namespace freshet::membership
