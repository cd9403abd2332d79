#pragma once
// JSON read from strangers: depth-limited parsing and typed access that names what is wrong.
// Include this only in sources; a header says `base/json_fwd.h`.

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "base/bytes.h"
#include "base/json_fwd.h"
#include "base/result.h"

namespace freshet {

// Refuses nesting deeper than limits::kJsonDepthMax, before any parser builds it.
Result<void> check_json_depth(std::string_view text, std::string_view source);

// What is wrong with a text of `bytes` bytes that is no JSON, for an error message: where and of
// what kind, and nothing of the text, which may be private. (The library's own message quotes it,
// up to all of it.)
std::string json_fault(const nlohmann::detail::exception& error, std::size_t bytes);

// Parses one document; `source` names it in errors, which quote nothing of the text. Depth is
// checked.
Result<Json> parse_json(std::string_view text, std::string_view source);

// Whether a number is one that T holds: the library would wrap, cut or turn a truth value into it.
template <class T>
bool json_holds(const Json& value) {
  if constexpr (std::is_same_v<T, bool>) {
    return value.is_boolean();
  } else if constexpr (std::is_integral_v<T>) {
    return value.is_number_unsigned()
               ? std::in_range<T>(value.get<std::uint64_t>())
               : value.is_number_integer() && std::in_range<T>(value.get<std::int64_t>());
  } else if constexpr (std::is_floating_point_v<T>) {
    return value.is_number();
  }
  return true;
}

// object[key] as T, or an error that names source, key and the expected type.
template <class T>
Result<T> json_get(const Json& object, std::string_view key, std::string_view source) {
  auto found = object.is_object() ? object.find(std::string(key)) : object.end();
  if (!object.is_object() || found == object.end())
    return fail(Code::kBadInput, std::string(source) + ": no \"" + std::string(key) + "\"");
  try {
    if (json_holds<T>(*found)) return found->template get<T>();
  } catch (const nlohmann::json::exception&) {
  }
  return fail(Code::kBadInput, std::string(source) + ": \"" + std::string(key) +
                                   "\" has the wrong type or is out of range");
}

// The same, with a default where the key is absent or null.
template <class T>
Result<T> json_get_or(const Json& object, std::string_view key, T absent, std::string_view source) {
  if (!object.is_object())
    return fail(Code::kBadInput, std::string(source) + ": not a JSON object");
  auto found = object.find(std::string(key));
  if (found == object.end() || found->is_null()) return absent;
  return json_get<T>(object, key, source);
}

// dump() that never throws: bytes that are no UTF-8 are replaced.
std::string to_text(const Json& json, int indent = -1);

}  // namespace freshet
