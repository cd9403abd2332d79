#include "model/tokenizer/word_scanner.h"

#include <array>
#include <cstdint>

#include "model/tokenizer/utf8.h"

namespace freshet {
namespace {

enum class Kind : std::uint8_t { kEnd, kLetter, kNumber, kSpace, kOther };

struct Character {
  Kind kind;
  std::uint8_t bytes;
};

constexpr std::array<Kind, 128> make_ascii() {
  std::array<Kind, 128> kinds{};
  for (unsigned c = 0; c < 128; ++c) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    kinds[c] = letter                            ? Kind::kLetter
               : c >= '0' && c <= '9'            ? Kind::kNumber
               : c == ' ' || (c >= 9 && c <= 13) ? Kind::kSpace
                                                 : Kind::kOther;
  }
  return kinds;
}
constexpr std::array<Kind, 128> kAscii = make_ascii();

Character wide_character(std::string_view text, std::size_t at) {
  const auto lead = static_cast<unsigned char>(text[at]);
  const std::uint8_t bytes = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  const char32_t c = utf8_code_point(text.substr(at), bytes);
  if (is_letter(c)) return {Kind::kLetter, bytes};
  if (is_space(c)) return {Kind::kSpace, bytes};
  return {is_number(c) ? Kind::kNumber : Kind::kOther, bytes};
}

inline Character look(std::string_view text, std::size_t at) {
  if (at >= text.size()) return {Kind::kEnd, 0};
  const auto lead = static_cast<unsigned char>(text[at]);
  if (lead < 0x80) return {kAscii[lead], 1};
  return wide_character(text, at);
}

inline std::size_t run_of(Kind kind, std::string_view text, std::size_t at) {
  for (;;) {
    const Character c = look(text, at);
    if (c.kind != kind) return at;
    at += c.bytes;
  }
}

inline char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

// Bytes of 's 't 're 've 'm 'll 'd at an apostrophe, or 0.
std::size_t contraction(std::string_view text, bool any_case) {
  if (text.size() < 2) return 0;
  if (any_case && text.substr(1).starts_with("\xC5\xBF")) return 3;  // U+017F, an s as well
  const char first = any_case ? lower(text[1]) : text[1];
  if (first == 's' || first == 't' || first == 'm' || first == 'd') return 2;
  if (text.size() < 3) return 0;
  const char second = any_case ? lower(text[2]) : text[2];
  const bool two = (first == 'r' && second == 'e') || (first == 'v' && second == 'e') ||
                   (first == 'l' && second == 'l');
  return two ? 3 : 0;
}

// \s+(?!\S)|\s+ where nothing else matches: all but the last, which may belong to what follows.
std::size_t spaces(std::string_view text, std::size_t at) {
  std::size_t end = at, last = at;
  for (Character c = look(text, end); c.kind == Kind::kSpace; c = look(text, end)) {
    last = end;
    end += c.bytes;
  }
  return end == text.size() || last == at ? end : last;
}

// '(?:[stmd]|re|ve|ll)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
std::size_t gpt2_word(std::string_view text, std::size_t at) {
  if (text[at] == '\'')
    if (const std::size_t bytes = contraction(text.substr(at), false)) return at + bytes;
  const std::size_t start = text[at] == ' ' ? at + 1 : at;
  const Character c = look(text, start);
  if (c.kind == Kind::kSpace || c.kind == Kind::kEnd) return spaces(text, at);
  return run_of(c.kind, text, start + c.bytes);
}

bool is_newline(char c) { return c == '\r' || c == '\n'; }

// \s*[\r\n]+|\s+(?!\S)|\s+
std::size_t spaces_and_lines(std::string_view text, std::size_t at) {
  std::size_t line_end = 0;
  for (std::size_t end = at;;) {
    const Character c = look(text, end);
    if (c.kind != Kind::kSpace) break;
    if (is_newline(text[end])) line_end = end + 1;
    end += c.bytes;
  }
  return line_end > 0 ? line_end : spaces(text, at);
}

// (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,digits}| ?[^\s\p{L}\p{N}]+[\r\n]*|
// and the above
std::size_t llama3_word(std::string_view text, std::size_t at, int digits) {
  if (text[at] == '\'')
    if (const std::size_t bytes = contraction(text.substr(at), true)) return at + bytes;
  const Character first = look(text, at);
  if (first.kind == Kind::kLetter) return run_of(Kind::kLetter, text, at + first.bytes);
  if (first.kind == Kind::kNumber) {
    std::size_t end = at + first.bytes;
    for (int i = 1; i < digits; ++i) {
      const Character c = look(text, end);
      if (c.kind != Kind::kNumber) break;
      end += c.bytes;
    }
    return end;
  }
  const std::size_t behind = at + first.bytes;
  const Character second = look(text, behind);
  if (second.kind == Kind::kLetter && !is_newline(text[at]))
    return run_of(Kind::kLetter, text, behind + second.bytes);
  if (first.kind == Kind::kOther || (text[at] == ' ' && second.kind == Kind::kOther)) {
    std::size_t end = run_of(Kind::kOther, text, behind);
    while (end < text.size() && is_newline(text[end])) ++end;
    return end;
  }
  return spaces_and_lines(text, at);
}

}  // namespace

std::string_view expression_of(KnownPattern pattern) {
  switch (pattern) {
    case KnownPattern::kGpt2:
      return R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
    case KnownPattern::kLlama3:
      return R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
    case KnownPattern::kQwen2: break;
  }
  return R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
}

std::optional<KnownPattern> known_pattern(std::string_view expression) {
  for (KnownPattern p : {KnownPattern::kGpt2, KnownPattern::kLlama3, KnownPattern::kQwen2})
    if (expression == expression_of(p)) return p;
  return std::nullopt;
}

std::size_t word_end(KnownPattern pattern, std::string_view text, std::size_t at) {
  switch (pattern) {
    case KnownPattern::kGpt2: return gpt2_word(text, at);
    case KnownPattern::kLlama3: return llama3_word(text, at, 3);
    case KnownPattern::kQwen2: break;
  }
  return llama3_word(text, at, 1);
}

void split_words(KnownPattern pattern, std::string_view text, const WordSink& word) {
  while (!text.empty()) {
    const Utf8Run run = next_utf8_run(text);
    text.remove_prefix(run.text.size());
    if (!run.well_formed) {
      word(run.text);
      continue;
    }
    for (std::size_t at = 0; at < run.text.size();) {
      const std::size_t end = word_end(pattern, run.text, at);
      word(run.text.substr(at, end - at));
      at = end;
    }
  }
}

}  // namespace freshet
