#pragma once
// Sealing bytes: to a party (ephemeral X25519, BLAKE2b key derivation, XChaCha20-Poly1305) or to
// oneself at rest. `context` is authenticated, not encrypted: a sealed thing opens only in the
// context it was made for.

#include "crypto/keys.h"

namespace freshet {

// ephemeral public key (32) || nonce (24) || ciphertext || tag (16)
Bytes seal_to(const SealingPublic& receiver, ByteView plain, ByteView context);
// kBadInput when it does not open. A low-order ephemeral key is refused.
Result<Bytes> open_sealed(const Identity& receiver, ByteView sealed, ByteView context);

// nonce (24) || ciphertext || tag (16), under a 32-byte key
Bytes seal_at_rest(const Secret& key, ByteView plain, ByteView context);
Result<Bytes> open_at_rest(const Secret& key, ByteView sealed, ByteView context);

}  // namespace freshet
