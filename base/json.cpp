#include "base/json.h"

#include <algorithm>

#include "base/limits.h"

namespace freshet {

Result<void> check_json_depth(std::string_view text, std::string_view source) {
  // What the parser builds is destroyed recursively, so the depth is bounded before anything is
  // built.
  std::size_t depth = 0, deepest = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (in_string) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      deepest = std::max(deepest, ++depth);
    } else if ((c == '}' || c == ']') && depth > 0) {
      --depth;
    }
  }
  if (deepest > limits::kJsonDepthMax)
    return fail(Code::kBadInput, std::string(source) + ": JSON nested deeper than " +
                                     std::to_string(limits::kJsonDepthMax) + " levels");
  return {};
}

std::string json_fault(const nlohmann::detail::exception& error, std::size_t bytes) {
  constexpr int kNumberTooLarge = 406;
  if (const auto* fault = dynamic_cast<const nlohmann::detail::parse_error*>(&error);
      fault != nullptr)
    return fault->byte > bytes ? "it ends too early, after byte " + std::to_string(bytes)
                               : "at byte " + std::to_string(fault->byte);
  return error.id == kNumberTooLarge ? "a number in it is too large"
                                     : "its values are not of the types they should be";
}

Result<Json> parse_json(std::string_view text, std::string_view source) {
  TRY(check_json_depth(text, source));
  try {
    return Json::parse(text);
  } catch (const nlohmann::json::exception& error) {
    return fail(Code::kBadInput,
                std::string(source) + ": not valid JSON (" + json_fault(error, text.size()) + ")");
  }
}

std::string to_text(const Json& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

}  // namespace freshet
