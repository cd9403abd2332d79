#pragma once
// libsodium, ready to use: sodium_init() has run before main in every program that links a source
// that includes this, so that nobody gets the slow reference code. For sources of this folder only.

#include <sodium.h>

#include <string_view>

#include "base/bytes.h"
#include "base/check.h"

namespace freshet {

inline const int kSodiumReady = sodium_init();

// u8 length || domain: no domain followed by bytes reads as another domain followed by other bytes.
class DomainPrefix {
 public:
  explicit DomainPrefix(std::string_view domain) : size_(domain.size() + 1) {
    CHECK(domain.size() <= 255, "domain of {} bytes", domain.size());
    bytes_[0] = static_cast<std::uint8_t>(domain.size());
    std::memcpy(bytes_.data() + 1, domain.data(), domain.size());
  }
  ByteView view() const { return ByteView(bytes_).first(size_); }

 private:
  std::array<std::uint8_t, 256> bytes_;
  std::size_t size_;
};

}  // namespace freshet
