#pragma once
// An identity at rest: FOLDER/identity.key (0600), sealed with XChaCha20-Poly1305 under a key in
// FOLDER/seal.key (0600), or in the file that FRESHET_SEAL_KEY names (a systemd credential, a USB
// stick). Never unsealed on disk.

#include "base/files.h"
#include "crypto/keys.h"

namespace freshet {

// Makes both files on first use. kRefused when a file is readable by others, kCorrupt when it does
// not open.
struct KeyRing {
  Identity identity;
  Secret
      storage;  // 32 bytes: seals what this party keeps on disk; also the root of keyed generators
};
Result<KeyRing> load_or_make_keys(const Path& folder);

// A rotation replaces the three pairs and keeps `storage`. The first call makes the next identity
// in FOLDER/identity.next; every further one reads it, so that a rotation that was cut off goes on
// with the same keys. use_next_keys puts it in the place of identity.key.
Result<KeyRing> prepare_next_keys(const Path& folder);
Result<void> use_next_keys(const Path& folder);

}  // namespace freshet
