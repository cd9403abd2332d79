#pragma once
// Bytes, views of them, and their text forms. Owns nothing but the vector.

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/result.h"

namespace freshet {

using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;

// The name of some bytes: BLAKE2b-256 (crypto/digest.h makes them).
using Digest = std::array<std::uint8_t, 32>;

inline ByteView as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
template <class T>
  requires std::is_trivially_copyable_v<T>
ByteView as_bytes(std::span<const T> values) {
  return {reinterpret_cast<const std::uint8_t*>(values.data()), values.size_bytes()};
}
inline std::string_view as_text(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline Bytes to_bytes(ByteView view) { return Bytes(view.begin(), view.end()); }

// Lower-case hexadecimal; from_hex refuses an odd length or another character.
std::string to_hex(ByteView bytes);
Result<Bytes> from_hex(std::string_view text);
Result<Digest> digest_from_hex(std::string_view text);

// The first eight hexadecimal digits, for people.
std::string short_hex(ByteView bytes);

}  // namespace freshet
