#include "crypto/secagg/derive.h"

#include "crypto/sodium.h"

namespace freshet::secagg {
namespace {

std::array<std::uint8_t, 4> number(std::uint32_t index) {
  const std::uint32_t id = index + 1;
  return {static_cast<std::uint8_t>(id), static_cast<std::uint8_t>(id >> 8),
          static_cast<std::uint8_t>(id >> 16), static_cast<std::uint8_t>(id >> 24)};
}

// The texts below are all of different lengths or letters before their first fixed-size part, and
// what follows each has one length: no two uses read the same bytes.
void derive(KeyView secret, std::string_view use, std::initializer_list<ByteView> parts,
            std::span<std::uint8_t> out) {
  crypto_generichash_state state;
  crypto_generichash_init(&state, secret.data(), secret.size(), out.size());
  crypto_generichash_update(&state, as_bytes(use).data(), use.size());
  for (ByteView part : parts) crypto_generichash_update(&state, part.data(), part.size());
  crypto_generichash_final(&state, out.data(), out.size());
  sodium_memzero(&state, sizeof state);
}

}  // namespace

void mask_secret(KeyView pair_seed, Key secret) {
  derive(pair_seed, "freshet/secagg/v1/pair-seed", {}, secret);
}

void self_mask_root(KeyView self_seed, Key root) {
  derive(self_seed, "freshet/secagg/v1/self-seed", {}, root);
}

Digest commit_to(KeyView self_seed, const Digest& nonce) {
  Digest commit;
  derive(self_seed, "freshet/secagg/v1/commit", {nonce}, commit);
  return commit;
}

void pair_mask_key(KeyView agreed, const Bound& bound, PairEnd a, PairEnd b, Key key) {
  CHECK(a.index != b.index, "member {} and itself", a.index);
  const PairEnd &low = a.index < b.index ? a : b, &high = a.index < b.index ? b : a;
  derive(agreed, "freshet/secagg/v1/mask",
         {bound.sid, bound.supplied, number(low.index), number(high.index), low.key.bytes,
          high.key.bytes},
         key);
}

void self_mask_key(KeyView root, const Bound& bound, std::uint32_t index, Key key) {
  derive(root, "freshet/secagg/v1/self", {bound.sid, bound.supplied, number(index)}, key);
}

void direction_key(KeyView agreed, const Bound& bound, const Direction& direction, Key key) {
  derive(agreed, "freshet/secagg/v1/share",
         {bound.sid, number(direction.from), number(direction.to), direction.from_cipher.bytes,
          direction.to_cipher.bytes},
         key);
}

ShareCheck check_of(KeyView share, const ShareName& name) {
  ShareCheck check;
  const std::array<std::uint8_t, 1> kind = {name.self_mask};
  derive(share, "freshet/secagg/v1/check", {name.sid, number(name.from), number(name.to), kind},
         check);
  return check;
}

}  // namespace freshet::secagg
