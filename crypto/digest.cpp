#include "crypto/digest.h"

#include "crypto/sodium.h"

namespace freshet {

struct Hasher::State {
  crypto_generichash_state blake;
  bool finished = false;
};

Hasher::Hasher() : state_(std::make_unique<State>()) {
  crypto_generichash_init(&state_->blake, nullptr, 0, std::tuple_size_v<Digest>);
}
Hasher::~Hasher() = default;
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;

void Hasher::update(ByteView bytes) {
  CHECK(state_ && !state_->finished);
  crypto_generichash_update(&state_->blake, bytes.data(), bytes.size());
}

Digest Hasher::finish() {
  CHECK(state_ && !state_->finished);
  state_->finished = true;
  Digest digest;
  crypto_generichash_final(&state_->blake, digest.data(), digest.size());
  return digest;
}

Digest digest_of(ByteView bytes) {
  Digest digest;
  crypto_generichash(digest.data(), digest.size(), bytes.data(), bytes.size(), nullptr, 0);
  return digest;
}

Digest digest_of(std::string_view domain, ByteView bytes) {
  Hasher hasher;
  hasher.update(DomainPrefix(domain).view());
  hasher.update(bytes);
  return hasher.finish();
}

}  // namespace freshet
