#pragma once
// The trust that a party works with: the newest bundle it ever saw, in FOLDER/trust.bundle. It
// never goes back, not over restarts either: an older bundle would bring revoked parties back.
// Asked on several threads; a Trust that was handed out stays as it is.

#include <memory>
#include <mutex>

#include "base/files.h"
#include "crypto/certificates/trust.h"

namespace freshet::membership {

class TrustStore {
 public:
  // kCorrupt: the folder's bundle is not there or does not verify.
  static Result<std::shared_ptr<TrustStore>> open(const Path& folder, const SigningPublic& root);

  // Durable, then in use. True: it is newer; false: it is the one in use. kRefused: older than what
  // this party has seen (says both), another root's, or a signature that does not fit.
  Result<bool> take(ByteView bundle);

  std::shared_ptr<const Trust> trust() const;
  Bytes bundle() const;                // to hand on
  std::uint64_t revocations() const {  // serial of the list: what a descriptor says
    return trust()->revocations.serial;
  }

 private:
  TrustStore(Path file, Trust trust, Bytes bundle);
  const Path file_;
  mutable std::mutex mutex_;  // guards what follows
  std::shared_ptr<const Trust> trust_;
  Bytes bundle_;
};

}  // namespace freshet::membership
