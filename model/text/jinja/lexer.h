#pragma once
// The text of a Jinja template to tokens, with the white space rules that transformers sets for
// chat templates (trim_blocks, lstrip_blocks).

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace freshet::jinja {

struct Token {
  enum class Kind {
    kText,         // between tags, as it is printed
    kOutputBegin,  // {{
    kBlockBegin,   // {%
    kEnd,          // }} or %}
    kName,
    kNumber,
    kString,  // unescaped
    kSymbol,  // operators and brackets
  } kind;
  std::string text;
  std::size_t at;  // in the template, for messages
};

Result<std::vector<Token>> lex(std::string_view source);

}  // namespace freshet::jinja
