#include "model/tokenizer/byte_level.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <array>

#include "base/check.h"
#include "model/tokenizer/utf8.h"

namespace freshet {
namespace {

// Unicode's White_Space, which \s means in the original; PCRE2's own \s has U+180E besides.
#define FRESHET_SPACE \
  "\\x{9}-\\x{d} "    \
  "\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}"
constexpr char kPattern[] =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^" FRESHET_SPACE
    "\\p{L}\\p{N}]+|[" FRESHET_SPACE "]+(?![^" FRESHET_SPACE "])|[" FRESHET_SPACE "]+";
#undef FRESHET_SPACE

constexpr char32_t kAlphabetEnd = 256 + 68;  // 68 bytes are no printable Latin-1

struct Alphabet {
  std::array<char32_t, 256> character{};
  std::array<int, kAlphabetEnd> byte{};
};

constexpr Alphabet make_alphabet() {
  Alphabet alphabet;
  for (int& byte : alphabet.byte) byte = -1;
  char32_t next = 256;
  for (unsigned b = 0; b < 256; ++b) {
    const bool printable = (b >= 33 && b <= 126) || (b >= 161 && b != 173);
    alphabet.character[b] = printable ? b : next++;
    alphabet.byte[alphabet.character[b]] = static_cast<int>(b);
  }
  return alphabet;
}
constexpr Alphabet kAlphabet = make_alphabet();

}  // namespace

char32_t byte_character(std::uint8_t byte) { return kAlphabet.character[byte]; }
int byte_of_character(char32_t character) {
  return character < kAlphabetEnd ? kAlphabet.byte[character] : -1;
}

std::string bytes_of_token(std::string_view token) {
  std::string bytes;
  for (std::size_t at = 0; at < token.size();) {
    const std::size_t length = utf8_character_bytes(token.substr(at));
    const int byte =
        length == 0 ? -1 : byte_of_character(utf8_code_point(token.substr(at), length));
    if (byte < 0) return std::string(token);
    bytes += static_cast<char>(byte);
    at += length;
  }
  return bytes;
}

struct WordSplitter::Pattern {
  pcre2_code* code = nullptr;
  ~Pattern() { pcre2_code_free(code); }
};

WordSplitter::WordSplitter() : pattern_(std::make_unique<Pattern>()) {
  int error = 0;
  PCRE2_SIZE where = 0;
  pattern_->code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(kPattern), PCRE2_ZERO_TERMINATED,
                                 PCRE2_UTF | PCRE2_UCP | PCRE2_ANCHORED, &error, &where, nullptr);
  CHECK(pattern_->code != nullptr, "error {} at {}", error, where);
  pcre2_jit_compile(pattern_->code,
                    PCRE2_JIT_COMPLETE);  // where code may not be generated, matching interprets
}
WordSplitter::~WordSplitter() = default;
WordSplitter::WordSplitter(WordSplitter&&) noexcept = default;
WordSplitter& WordSplitter::operator=(WordSplitter&&) noexcept = default;

void WordSplitter::split(std::string_view text,
                         const std::function<void(std::string_view)>& word) const {
  if (text.empty()) return;
  const std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)> match(
      pcre2_match_data_create_from_pattern(pattern_->code, nullptr), &pcre2_match_data_free);
  CHECK(match != nullptr);
  while (!text.empty()) {
    const Utf8Run run = next_utf8_run(text);
    text.remove_prefix(run.text.size());
    if (!run.well_formed) {
      word(run.text);
      continue;
    }
    const auto* subject = reinterpret_cast<PCRE2_SPTR>(run.text.data());
    for (std::size_t at = 0; at < run.text.size();) {
      const int found = pcre2_match(pattern_->code, subject, run.text.size(), at,
                                    PCRE2_NO_UTF_CHECK, match.get(), nullptr);
      std::size_t end = found > 0 ? pcre2_get_ovector_pointer(match.get())[1] : run.text.size();
      if (end <= at)
        end = run.text.size();  // the pattern matches everywhere, but for a limit of the matcher
      word(run.text.substr(at, end - at));
      at = end;
    }
  }
}

}  // namespace freshet
