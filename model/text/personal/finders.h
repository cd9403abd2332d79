#pragma once
// One function a kind of personal data: the end of what begins at `at`, or 0. REQUIRES: `at` begins
// a word: no letter or digit stands before it.

#include <string_view>

namespace freshet::personal {

std::size_t email_at(std::string_view text, std::size_t at);
std::size_t account_at(std::string_view text, std::size_t at);
std::size_t address_at(std::string_view text, std::size_t at);
std::size_t card_at(std::string_view text, std::size_t at);
std::size_t identity_at(std::string_view text, std::size_t at);
std::size_t phone_at(std::string_view text, std::size_t at);
std::size_t secret_at(std::string_view text, std::size_t at);

inline bool is_digit(char c) { return c >= '0' && c <= '9'; }
inline bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
inline bool is_word(char c) {  // bytes of other alphabets, too
  return is_digit(c) || is_letter(c) || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}
inline char at_or_end(std::string_view text, std::size_t at) {
  return at < text.size() ? text[at] : '\0';
}
// Whether one of the words stands closely before, on the same line.
bool stands_behind(std::string_view text, std::size_t at, std::string_view words);

}  // namespace freshet::personal
