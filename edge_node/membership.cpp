#include "edge_node/membership.h"

#include "base/limits.h"

namespace freshet {
namespace {

constexpr std::size_t kRootTextBytesMax = 128;

Path certificate_file(const Path& folder) { return folder / "certificate.bin"; }
Path trust_file(const Path& folder) { return folder / "trust.bin"; }
Path root_file(const Path& folder) { return folder / "root.hex"; }

Result<Bytes> read_bytes(const Path& path, std::size_t bytes_max) {
  TRY_ASSIGN(const std::string text, read_file(path, bytes_max));
  return to_bytes(as_bytes(text));
}

Result<SigningPublic> read_root(const Path& path) {
  TRY_ASSIGN(std::string text, read_file(path, kRootTextBytesMax));
  while (!text.empty() && text.back() == '\n') text.pop_back();
  auto root = digest_from_hex(text);
  if (!root) return fail_in(path.string(), root.error());
  return SigningPublic{*root};
}

}  // namespace

std::string how_to_join(const Path& folder) {
  return "join with: freshet node join TOKEN --dir " + folder.string();
}

// The certificate comes last: a crash before it leaves a node that has not joined.
Result<void> save_membership(const Path& folder, const SigningPublic& root, ByteView certificate,
                             ByteView bundle) {
  TRY(write_file_durably(root_file(folder), as_bytes(to_hex(root.bytes) + "\n"), 0600));
  TRY(write_file_durably(trust_file(folder), bundle, 0600));
  return write_file_durably(certificate_file(folder), certificate, 0600);
}

Result<std::optional<Membership>> load_membership(const Path& folder, const PublicIdentity& own) {
  std::error_code error;
  if (!std::filesystem::exists(certificate_file(folder), error)) return std::optional<Membership>();
  Membership membership;
  TRY_ASSIGN(const SigningPublic root, read_root(root_file(folder)));
  TRY_ASSIGN(membership.bundle, read_bytes(trust_file(folder), limits::kBundleBytesMax));
  auto trust = open_trust(root, membership.bundle);
  if (!trust) return fail_in(trust_file(folder).string(), trust.error());
  membership.trust = std::move(*trust);
  TRY_ASSIGN(membership.certificate, read_bytes(certificate_file(folder), kCertificateBytes));
  auto mine = read_certificate(membership.certificate);
  if (!mine) return fail_in(certificate_file(folder).string(), mine.error());
  if (!(mine->keys == own))
    return fail(Code::kRefused, certificate_file(folder).string() +
                                    " is of other keys than this node's: " + how_to_join(folder));
  return std::optional<Membership>(std::move(membership));
}

Result<bool> renew_trust(Membership& membership, const Path& folder, ByteView bundle) {
  TRY_ASSIGN(Trust trust, open_trust(membership.trust.root, bundle));
  if (trust.serial() <= membership.trust.serial()) return false;
  TRY(write_file_durably(trust_file(folder), bundle, 0600));
  membership.trust = std::move(trust);
  membership.bundle = to_bytes(bundle);
  return true;
}

}  // namespace freshet
