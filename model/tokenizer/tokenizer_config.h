#pragma once
// What tokenizer_config.json says beside the tokenizer itself.

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace freshet {

struct TokenizerConfig {
  std::optional<std::string> bos_token, eos_token;   // absent or null: not said
  std::optional<bool> add_bos_token, add_eos_token;  // whether they stand around a text
  std::optional<std::string> chat_template;          // of a list, the one named "default"
};

Result<TokenizerConfig> parse_tokenizer_config(std::string_view json, std::string_view source);

}  // namespace freshet
