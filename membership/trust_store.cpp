#include "membership/trust_store.h"

#include <fmt/format.h>

#include "base/limits.h"
#include "membership/files.h"

namespace freshet::membership {

TrustStore::TrustStore(Path file, Trust trust, Bytes bundle)
    : file_(std::move(file)),
      trust_(std::make_shared<const Trust>(std::move(trust))),
      bundle_(std::move(bundle)) {}

Result<std::shared_ptr<TrustStore>> TrustStore::open(const Path& folder,
                                                     const SigningPublic& root) {
  const Path file = folder / kBundleName;
  const auto text = read_file(file, limits::kBundleBytesMax);
  const auto trust = text ? open_trust(root, as_bytes(*text)) : tl::unexpected(text.error());
  if (!trust)
    return fail(Code::kCorrupt, file.string() + ": " + trust.error().what +
                                    "; restore it from a backup, or join again from a fresh --dir");
  return std::shared_ptr<TrustStore>(new TrustStore(file, *trust, to_bytes(as_bytes(*text))));
}

Result<bool> TrustStore::take(ByteView bundle) {
  const auto now = trust();
  TRY_ASSIGN(Trust next, open_trust(now->root, bundle));
  const TrustSerial seen = now->serial(), shown = next.serial();
  if (shown < seen)
    return fail(Code::kRefused,
                fmt::format("an old revocation list: {} of issuer {}, and {} of issuer {} was seen "
                            "before; whoever shows it may hide that somebody was revoked",
                            shown.list, shown.issuer_epoch, seen.list, seen.issuer_epoch));
  if (shown == seen) return false;
  TRY(write_file_durably(file_, bundle, 0600));
  auto fresh = std::make_shared<const Trust>(std::move(next));
  std::lock_guard lock(mutex_);
  trust_ = std::move(fresh);
  bundle_ = to_bytes(bundle);
  return true;
}

std::shared_ptr<const Trust> TrustStore::trust() const {
  std::lock_guard lock(mutex_);
  return trust_;
}

Bytes TrustStore::bundle() const {
  std::lock_guard lock(mutex_);
  return bundle_;
}

}  // namespace freshet::membership
