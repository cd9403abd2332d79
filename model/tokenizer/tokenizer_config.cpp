#include "model/tokenizer/tokenizer_config.h"

#include "base/json.h"
#include "base/limits.h"

namespace freshet {
namespace {

// A token is written as a string or as an object with its content.
Result<std::optional<std::string>> read_token(const Json& json, const char* key,
                                              std::string_view source) {
  const auto found = json.find(key);
  if (found == json.end() || found->is_null()) return std::nullopt;
  if (found->is_object()) {
    TRY_ASSIGN(std::string content, json_get<std::string>(*found, "content", source));
    return content;
  }
  TRY_ASSIGN(std::string text, json_get<std::string>(json, key, source));
  return text;
}

Result<std::optional<bool>> read_flag(const Json& json, const char* key, std::string_view source) {
  const auto found = json.find(key);
  if (found == json.end() || found->is_null()) return std::nullopt;
  TRY_ASSIGN(const bool flag, json_get<bool>(json, key, source));
  return flag;
}

Result<std::optional<std::string>> read_template(const Json& json, std::string_view source) {
  const auto found = json.find("chat_template");
  if (found == json.end() || found->is_null()) return std::nullopt;
  if (!found->is_array()) {
    TRY_ASSIGN(std::string text, json_get<std::string>(json, "chat_template", source));
    return text;
  }
  for (const Json& item : *found) {
    TRY_ASSIGN(const std::string name, json_get<std::string>(item, "name", source));
    if (name != "default") continue;
    TRY_ASSIGN(std::string text, json_get<std::string>(item, "template", source));
    return text;
  }
  return std::nullopt;
}

}  // namespace

Result<TokenizerConfig> parse_tokenizer_config(std::string_view text, std::string_view source) {
  if (text.size() > limits::kTokenizerConfigBytesMax)
    return fail(Code::kBadInput, std::string(source) + ": larger than the " +
                                     std::to_string(limits::kTokenizerConfigBytesMax) +
                                     " bytes allowed");
  TRY_ASSIGN(const Json json, parse_json(text, source));
  if (!json.is_object()) return fail(Code::kBadInput, std::string(source) + ": not a JSON object");
  TokenizerConfig config;
  TRY_ASSIGN(config.bos_token, read_token(json, "bos_token", source));
  TRY_ASSIGN(config.eos_token, read_token(json, "eos_token", source));
  TRY_ASSIGN(config.add_bos_token, read_flag(json, "add_bos_token", source));
  TRY_ASSIGN(config.add_eos_token, read_flag(json, "add_eos_token", source));
  TRY_ASSIGN(config.chat_template, read_template(json, source));
  return config;
}

}  // namespace freshet
