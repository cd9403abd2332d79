#pragma once
// Every key of a masked round comes out of one of these: BLAKE2b-256 keyed with a secret, over a
// text that names the use and over what the key is bound to. Members are numbered from 1 in them.

#include "crypto/secagg/sealed_share.h"

namespace freshet::secagg {

// From the shared scalars to the keys: a clamped X25519 key is no scalar below L.
void mask_secret(KeyView pair_seed, Key secret);
void self_mask_root(KeyView self_seed, Key root);
Digest commit_to(KeyView self_seed, const Digest& nonce);

struct PairEnd {
  std::uint32_t index;
  const MaskPublic& key;
};
// `agreed` is what the two mask keys agree on. The same whichever end comes first.
void pair_mask_key(KeyView agreed, const Bound& bound, PairEnd a, PairEnd b, Key key);
void self_mask_key(KeyView root, const Bound& bound, std::uint32_t index, Key key);

void direction_key(KeyView agreed, const Bound& bound, const Direction& direction, Key key);

// 16 bytes that only who knows the share can make. The share has 252 bits that nobody can guess.
using ShareCheck = std::array<std::uint8_t, 16>;
struct ShareName {
  const Sid& sid;
  std::uint32_t from, to;
  bool self_mask;
};
ShareCheck check_of(KeyView share, const ShareName& name);

}  // namespace freshet::secagg
