#pragma once
// BLAKE2b-256 (RFC 7693): the name of bytes.

#include <memory>
#include <string_view>

#include "base/bytes.h"

namespace freshet {

Digest digest_of(ByteView bytes);

// Digest of `bytes` under a domain such as "freshet/plan/v1": BLAKE2b-256(u8 length || domain ||
// bytes).
Digest digest_of(std::string_view domain, ByteView bytes);

// The same over bytes that come in pieces.
class Hasher {
 public:
  Hasher();
  ~Hasher();
  Hasher(Hasher&&) noexcept;
  Hasher& operator=(Hasher&&) noexcept;
  void update(ByteView bytes);
  Digest finish();  // once

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace freshet
