#include "model/tokenizer/utf8.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "base/check.h"
#include "model/tokenizer/newer_characters.h"

namespace freshet {
namespace {

bool continues(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

// Bytes of ASCII at the start, eight at a time.
std::size_t ascii_prefix(std::string_view text) {
  std::size_t at = 0;
  for (std::uint64_t word; at + sizeof word <= text.size(); at += sizeof word) {
    std::memcpy(&word, text.data() + at, sizeof word);
    if (word & 0x8080808080808080u) break;
  }
  while (at < text.size() && static_cast<unsigned char>(text[at]) < 0x80) ++at;
  return at;
}

}  // namespace

std::size_t utf8_character_bytes(std::string_view text) {
  if (text.empty()) return 0;
  const auto lead = static_cast<unsigned char>(text[0]);
  if (lead < 0x80) return 1;
  const std::size_t bytes = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < bytes) return 0;
  for (std::size_t i = 1; i < bytes; ++i)
    if (!continues(text[i])) return 0;
  const auto second = static_cast<unsigned char>(text[1]);
  if (lead == 0xE0 && second < 0xA0) return 0;  // overlong
  if (lead == 0xED && second > 0x9F) return 0;  // surrogates
  if (lead == 0xF0 && second < 0x90) return 0;  // overlong
  if (lead == 0xF4 && second > 0x8F) return 0;  // beyond U+10FFFF
  return bytes;
}

char32_t utf8_code_point(std::string_view text, std::size_t bytes) {
  const auto byte = [&](std::size_t i) {
    return static_cast<char32_t>(static_cast<unsigned char>(text[i]));
  };
  if (bytes == 1) return byte(0);
  char32_t point = byte(0) & (0xFFu >> (bytes + 1));
  for (std::size_t i = 1; i < bytes; ++i) point = point << 6 | (byte(i) & 0x3F);
  return point;
}

void append_utf8(std::string& text, char32_t point) {
  const auto put = [&](char32_t byte) {
    text += static_cast<char>(static_cast<unsigned char>(byte));
  };
  if (point < 0x80) return put(point);
  if (point < 0x800) {
    put(0xC0 | point >> 6);
  } else {
    if (point < 0x10000) {
      put(0xE0 | point >> 12);
    } else {
      put(0xF0 | point >> 18);
      put(0x80 | (point >> 12 & 0x3F));
    }
    put(0x80 | (point >> 6 & 0x3F));
  }
  put(0x80 | (point & 0x3F));
}

Utf8Run next_utf8_run(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    at += ascii_prefix(text.substr(at));
    const std::size_t bytes = utf8_character_bytes(text.substr(at));
    if (bytes == 0) break;
    at += bytes;
  }
  if (at > 0) return {text.substr(0, at), true};
  while (at < text.size() && utf8_character_bytes(text.substr(at)) == 0) ++at;
  return {text.substr(0, at), false};
}

std::size_t utf8_last_character_bytes(std::string_view text) {
  for (std::size_t bytes = 1; bytes <= 4 && bytes <= text.size(); ++bytes)
    if (utf8_character_bytes(text.substr(text.size() - bytes)) == bytes) return bytes;
  return 0;
}

bool is_utf8(std::string_view text) {
  const Utf8Run run = next_utf8_run(text);
  return run.text.size() == text.size() && (run.well_formed || text.empty());
}

bool is_space(char32_t c) {
  if (c < 0x80) return c == ' ' || (c >= 9 && c <= 13);
  return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 ||
         c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

bool is_letter(char32_t c) {
  const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
  if (category == UTF8PROC_CATEGORY_CN) return lies_in(kNewerLetters, c);
  return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
}

bool is_number(char32_t c) {
  const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
  if (category == UTF8PROC_CATEGORY_CN) return lies_in(kNewerNumbers, c);
  return category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO;
}

bool is_word(char32_t c) {
  const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
  const bool letter_in_a_circle = (c >= 0x24B6 && c <= 0x24E9) || (c >= 0x1F130 && c <= 0x1F149) ||
                                  (c >= 0x1F150 && c <= 0x1F169) || (c >= 0x1F170 && c <= 0x1F189);
  const bool joins = c == 0x200C || c == 0x200D;
  return (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_NL) ||
         category == UTF8PROC_CATEGORY_PC || letter_in_a_circle || joins;
}

namespace {

void append_normal_form(utf8proc_option_t options, std::string_view text, std::string& result) {
  utf8proc_uint8_t* mapped = nullptr;
  const auto bytes = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                                  static_cast<utf8proc_ssize_t>(text.size()), &mapped, options);
  CHECK(bytes >= 0, "{}", utf8proc_errmsg(bytes));
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(mapped, &std::free);
  result.append(reinterpret_cast<const char*>(mapped), static_cast<std::size_t>(bytes));
}

// Where `text` can be cut so that both parts have normal forms of their own: nothing joins an ASCII
// character to what stands before it.
std::size_t normal_part(std::string_view text) {
  constexpr std::size_t kPartBytes = 64 << 10;
  std::size_t at = std::min(text.size(), kPartBytes);
  while (at < text.size() && static_cast<unsigned char>(text[at]) >= 0x80) ++at;
  return at;
}

}  // namespace

std::string to_normal_form(NormalForm form, std::string_view text) {
  const bool composed = form == NormalForm::kC || form == NormalForm::kKc;
  const bool compatible = form == NormalForm::kKc || form == NormalForm::kKd;
  const auto options = static_cast<utf8proc_option_t>(
      UTF8PROC_STABLE | (composed ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE) |
      (compatible ? UTF8PROC_COMPAT : 0));
  std::string result;
  while (!text.empty()) {
    const Utf8Run run = next_utf8_run(text);
    text.remove_prefix(run.text.size());
    for (std::string_view rest = run.text; !rest.empty();) {
      const std::string_view part =
          rest.substr(0, run.well_formed ? normal_part(rest) : rest.size());
      rest.remove_prefix(part.size());
      if (!run.well_formed || ascii_prefix(part) == part.size())
        result += part;
      else
        append_normal_form(options, part, result);
    }
  }
  return result;
}

std::string to_nfc(std::string_view text) { return to_normal_form(NormalForm::kC, text); }

namespace {

char32_t lower_character(char32_t c) {
  switch (c) {  // of Unicode 16, which utf8proc may not know yet
    case 0x1C89: return 0x1C8A;
    case 0xA7CB: return 0x264;
    case 0xA7CC: return 0xA7CD;
    case 0xA7DA: return 0xA7DB;
    case 0xA7DC: return 0x19B;
    default: break;
  }
  if (c >= 0x10D50 && c <= 0x10D65) return c + 0x20;
  return static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c)));
}

}  // namespace

std::string to_lower(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t bytes = utf8_character_bytes(text.substr(at));
    if (bytes == 0) {
      result += text[at++];
      continue;
    }
    const char32_t c = utf8_code_point(text.substr(at), bytes);
    at += bytes;
    append_utf8(result, lower_character(c));
    if (c == 0x130) append_utf8(result, 0x307);  // the one character with two in lower case
  }
  return result;
}

}  // namespace freshet
