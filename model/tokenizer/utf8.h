#pragma once
// UTF-8 as private text really comes: mostly well-formed, with broken bytes that must survive.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace freshet {

// Bytes of the character that starts `text` (1 to 4), or 0 where it is not well-formed (RFC 3629).
std::size_t utf8_character_bytes(std::string_view text);

// The code point of a well-formed character of `bytes` bytes.
char32_t utf8_code_point(std::string_view text, std::size_t bytes);
void append_utf8(std::string& text, char32_t code_point);

// The longest prefix of `text` that is well-formed throughout, or else the longest that is broken
// throughout.
struct Utf8Run {
  std::string_view text;
  bool well_formed;
};
Utf8Run next_utf8_run(std::string_view text);

// Unicode normalisation form C of the well-formed runs; broken bytes stay where they are.
std::string to_nfc(std::string_view text);

}  // namespace freshet
