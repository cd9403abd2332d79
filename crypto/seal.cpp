#include "crypto/seal.h"

#include <algorithm>
#include <array>

#include "crypto/sodium.h"

namespace freshet {
namespace {

constexpr std::size_t kKey = crypto_aead_xchacha20poly1305_ietf_KEYBYTES;
constexpr std::size_t kNonce = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
constexpr std::size_t kTag = crypto_aead_xchacha20poly1305_ietf_ABYTES;
constexpr std::size_t kPoint = crypto_scalarmult_BYTES;

// BLAKE2b-256 keyed with `secret` over u8 length || domain || ephemeral || receiver.
Secret derive(std::string_view domain, ByteView secret, ByteView ephemeral, ByteView receiver) {
  Secret key(kKey);
  crypto_generichash_state state;
  crypto_generichash_init(&state, secret.data(), secret.size(), kKey);
  const DomainPrefix prefix(domain);
  for (ByteView part : {prefix.view(), ephemeral, receiver})
    crypto_generichash_update(&state, part.data(), part.size());
  crypto_generichash_final(&state, key.writable().data(), kKey);
  sodium_memzero(&state, sizeof state);
  return key;
}

Secret key_to_party(ByteView shared, ByteView ephemeral, ByteView receiver) {
  return derive("freshet/seal-to/v1", shared, ephemeral, receiver);
}

Secret key_at_rest(const Secret& key) {
  CHECK(key.view().size() == kKey, "a storage key of {} bytes", key.view().size());
  return derive("freshet/seal-at-rest/v1", key.view(), {}, {});
}

// Writes nonce || ciphertext || tag into the end of `sealed`, after `head` bytes.
Bytes encrypt(const Secret& key, ByteView head, ByteView plain, ByteView context) {
  Bytes sealed(head.size() + kNonce + plain.size() + kTag);
  std::copy(head.begin(), head.end(), sealed.begin());
  std::uint8_t* nonce = sealed.data() + head.size();
  randombytes_buf(nonce, kNonce);
  crypto_aead_xchacha20poly1305_ietf_encrypt(nonce + kNonce, nullptr, plain.data(), plain.size(),
                                             context.data(), context.size(), nullptr, nonce,
                                             key.view().data());
  return sealed;
}

Result<Bytes> decrypt(const Secret& key, ByteView sealed, ByteView context) {
  Bytes plain(sealed.size() - kNonce - kTag);
  const ByteView body = sealed.subspan(kNonce);
  if (crypto_aead_xchacha20poly1305_ietf_decrypt(plain.data(), nullptr, nullptr, body.data(),
                                                 body.size(), context.data(), context.size(),
                                                 sealed.data(), key.view().data()) != 0)
    return fail(Code::kBadInput,
                "sealed bytes that do not open: changed, for another key, or from another context");
  return plain;
}

}  // namespace

Bytes seal_to(const SealingPublic& receiver, ByteView plain, ByteView context) {
  const Secret ephemeral = Secret::random(kPoint);
  std::array<std::uint8_t, kPoint> point;
  crypto_scalarmult_base(point.data(), ephemeral.view().data());
  Secret shared(kPoint);
  // With a low-order receiver the agreement is public. Such bytes are sealed under a key that
  // nobody has.
  if (crypto_scalarmult(shared.writable().data(), ephemeral.view().data(), receiver.bytes.data()) !=
      0)
    shared = Secret::random(kPoint);
  return encrypt(key_to_party(shared.view(), point, receiver.bytes), point, plain, context);
}

Result<Bytes> open_sealed(const Identity& receiver, ByteView sealed, ByteView context) {
  CHECK(receiver.sealing.view().size() == kPoint);
  if (sealed.size() < kPoint + kNonce + kTag)
    return fail(Code::kBadInput, "sealed bytes that are too short to be whole");
  const ByteView point = sealed.first(kPoint);
  Secret shared(kPoint);
  if (crypto_scalarmult(shared.writable().data(), receiver.sealing.view().data(), point.data()) !=
      0)
    return fail(Code::kBadInput, "sealed bytes with a low-order key");
  return decrypt(key_to_party(shared.view(), point, receiver.open.sealing.bytes),
                 sealed.subspan(kPoint), context);
}

Bytes seal_at_rest(const Secret& key, ByteView plain, ByteView context) {
  return encrypt(key_at_rest(key), {}, plain, context);
}

Result<Bytes> open_at_rest(const Secret& key, ByteView sealed, ByteView context) {
  if (sealed.size() < kNonce + kTag)
    return fail(Code::kBadInput, "sealed bytes that are too short to be whole");
  return decrypt(key_at_rest(key), sealed, context);
}

}  // namespace freshet
