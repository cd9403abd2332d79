#pragma once
// JSON read from strangers: depth-limited parsing and typed access that names what is wrong. Include this only in
// sources; a header says `base/json_fwd.h`.

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/json_fwd.h"
#include "base/result.h"

namespace freshet {

// Parses one document; `source` names it in errors. Refuses nesting deeper than limits::kJsonDepthMax.
Result<Json> parse_json(std::string_view text, std::string_view source);

// object[key] as T, or an error that names source, key and the expected type.
template <class T>
Result<T> json_get(const Json& object, std::string_view key, std::string_view source) {
  auto found = object.is_object() ? object.find(std::string(key)) : object.end();
  if (!object.is_object() || found == object.end())
    return fail(Code::kBadInput, std::string(source) + ": no \"" + std::string(key) + "\"");
  try {
    return found->template get<T>();
  } catch (const nlohmann::json::exception&) {
    return fail(Code::kBadInput, std::string(source) + ": \"" + std::string(key) + "\" has the wrong type");
  }
}

// The same, with a default where the key is absent or null.
template <class T>
Result<T> json_get_or(const Json& object, std::string_view key, T absent, std::string_view source) {
  if (!object.is_object()) return fail(Code::kBadInput, std::string(source) + ": not a JSON object");
  auto found = object.find(std::string(key));
  if (found == object.end() || found->is_null()) return absent;
  return json_get<T>(object, key, source);
}

// dump() that never throws: bytes that are no UTF-8 are replaced.
std::string to_text(const Json& json, int indent = -1);

}  // namespace freshet
