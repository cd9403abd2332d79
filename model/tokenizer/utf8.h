#pragma once
// UTF-8 as private text really comes: mostly well-formed, with broken bytes that must survive.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace freshet {

// Bytes of the character that starts `text` (1 to 4), or 0 where it is not well-formed (RFC 3629).
std::size_t utf8_character_bytes(std::string_view text);

// Bytes of the character that ends `text`, or 0 where it is not well-formed or `text` is empty.
std::size_t utf8_last_character_bytes(std::string_view text);
bool is_utf8(std::string_view text);

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

// Unicode normalisation forms of the well-formed runs; broken bytes stay where they are.
enum class NormalForm { kC, kD, kKc, kKd };
std::string to_normal_form(NormalForm form, std::string_view text);
std::string to_nfc(std::string_view text);

// Unicode's White_Space, categories L and N.
bool is_space(char32_t code_point);
bool is_letter(char32_t code_point);
bool is_number(char32_t code_point);
bool is_word(char32_t code_point);  // letters, marks, decimal digits, connectors (\w)

// Lower case of each character on its own.
std::string to_lower(std::string_view text);

}  // namespace freshet
