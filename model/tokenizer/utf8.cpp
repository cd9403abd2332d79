#include "model/tokenizer/utf8.h"

#include <utf8proc.h>

#include <cstdlib>
#include <cstring>
#include <memory>

#include "base/check.h"

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

std::string to_nfc(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const Utf8Run run = next_utf8_run(text);
    text.remove_prefix(run.text.size());
    if (!run.well_formed || ascii_prefix(run.text) == run.text.size()) {
      result += run.text;
      continue;
    }
    utf8proc_uint8_t* composed = nullptr;
    const auto bytes =
        utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(run.text.data()),
                     static_cast<utf8proc_ssize_t>(run.text.size()), &composed,
                     static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
    CHECK(bytes >= 0, "{}", utf8proc_errmsg(bytes));
    const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(composed, &std::free);
    result.append(reinterpret_cast<const char*>(composed), static_cast<std::size_t>(bytes));
  }
  return result;
}

}  // namespace freshet
