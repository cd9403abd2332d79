#pragma once
// The root key at rest: sealed with XChaCha20-Poly1305 under Argon2id of a passphrase, in one file
// of mode 0600 that should live away from the network. It signs issuers, nothing else.

#include "base/files.h"
#include "crypto/keys.h"

namespace freshet {

// What Argon2id may cost; the file says with which it was sealed, within these bounds.
enum class PassphraseCost : std::uint8_t {
  kTest,      // 8 MiB, one pass: for tests alone
  kModerate,  // 256 MiB, about half a second
};

inline constexpr std::size_t kPassphraseBytesMin = 8;  // of a root's passphrase

// kRefused: the file is there already, or the passphrase is too short.
Result<SigningPublic> make_root(const Path& file, const Secret& passphrase, PassphraseCost cost);

// An Identity with the signing halves alone. kRefused: a wrong passphrase, or a file that others
// can read. kCorrupt: no such file any more.
Result<Identity> open_root(const Path& file, const Secret& passphrase);

}  // namespace freshet
