// Oniguruma's syntax as PCRE2 reads it.

#include <fmt/format.h>

#include "model/tokenizer/newer_characters.h"
#include "model/tokenizer/pattern.h"

namespace freshet {
namespace {

// Unicode's White_Space, which \s means in Oniguruma, and its complement; PCRE2's own \s has U+180E
// besides.
constexpr std::string_view kSpace =
    "\\x{9}-\\x{d}\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}"
    "\\x{205f}\\x{3000}";
constexpr std::string_view kNoSpace =
    "\\x{0}-\\x{8}\\x{e}-\\x{1f}\\x{21}-\\x{84}\\x{86}-\\x{9f}\\x{a1}-\\x{167f}\\x{1681}-\\x{1fff}"
    "\\x{200b}-\\x{2027}\\x{202a}-\\x{202e}\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}"
    "\\x{3001}-\\x{10ffff}";

// Ranges as the members of a class.
template <std::size_t n>
std::string members_of(const CharacterRange (&ranges)[n]) {
  std::string members;
  for (const CharacterRange& range : ranges)
    members += fmt::format("\\x{{{:x}}}-\\x{{{:x}}}", static_cast<std::uint32_t>(range.first),
                           static_cast<std::uint32_t>(range.last));
  return members;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

class Translator {
 public:
  explicit Translator(std::string_view from) : from_(from) {}

  Result<std::string> run() {
    while (at_ < from_.size()) {
      const char c = from_[at_];
      if (c == '\\') {
        TRY(escape(false));
      } else if (c == '[') {
        TRY(char_class());
      } else if (c == '(') {
        TRY(group());
      } else if (c == '{') {
        TRY(interval());
      } else if (c == '^' || c == '$') {
        return refuse("an anchor (^ or $)");
      } else {
        to_ += c;
        ++at_;
      }
    }
    return std::move(to_);
  }

 private:
  tl::unexpected<Error> refuse(std::string_view what) const {
    return fail(Code::kBadInput, "the pattern " + std::string(from_.substr(0, 200)) + " uses " +
                                     std::string(what) + ", which is not supported");
  }
  std::string_view rest() const { return from_.substr(at_); }

  void class_or_own(std::string_view members, bool inside) {
    to_ += inside ? std::string(members) : "[" + std::string(members) + "]";
  }

  // \p{L}, \p{^Lu}, \pL is refused; a script by its own name, as PCRE2 would take extensions too.
  Result<void> property(bool inside) {
    const std::size_t end = rest().find('}');
    if (rest().size() < 4 || rest()[2] != '{' || end == std::string_view::npos)
      return refuse("a property without braces");
    std::string_view name = rest().substr(3, end - 3);
    bool negative = rest()[1] == 'P';
    if (name.starts_with('^')) {
      negative = !negative;
      name.remove_prefix(1);
    }
    static constexpr std::string_view kCategories =
        " C Cc Cf Cn Co Cs L Ll Lm Lo Lt Lu M Mc Me Mn N Nd Nl No P Pc Pd Pe Pf Pi Po Ps S Sc Sk "
        "Sm "
        "So Z Zl Zp Zs ";
    static constexpr std::string_view kScripts =
        " Arabic Armenian Bengali Cyrillic Devanagari Ethiopic Georgian Greek Gujarati Gurmukhi "
        "Han Hangul Hebrew Hiragana Kannada Katakana Khmer Lao Latin Malayalam Mongolian Myanmar "
        "Oriya Sinhala Tamil Telugu Thaana Thai Tibetan ";
    const std::string spaced = " " + std::string(name) + " ";
    const bool script = kScripts.find(spaced) != std::string_view::npos;
    if (name.empty() || (!script && kCategories.find(spaced) == std::string_view::npos))
      return refuse("the property " + std::string(name));
    at_ += end + 1;
    const bool newer = (name == "L" || name == "N") && !(negative && inside);
    if (newer) {
      const std::string members =
          "\\p{" + std::string(name) + "}" +
          (name == "L" ? members_of(kNewerLetters) : members_of(kNewerNumbers));
      to_ += inside ? members : (negative ? "[^" : "[") + members + "]";
      return {};
    }
    to_ += negative ? "\\P{" : "\\p{";
    to_ += script ? "sc:" : "";
    to_ += std::string(name) + "}";
    return {};
  }

  Result<void> hexadecimal(std::size_t digits_at, std::size_t digits_max, bool braces) {
    std::size_t end = digits_at;
    while (end < rest().size() && end < digits_at + digits_max && is_hex(rest()[end])) ++end;
    const bool closed = !braces || (end < rest().size() && rest()[end] == '}');
    if (end == digits_at || !closed) return refuse("a broken \\x or \\u");
    const std::string digits(rest().substr(digits_at, end - digits_at));
    if (!braces && digits.size() != digits_max) return refuse("a short \\x or \\u");
    if (!braces && digits_max == 2 && digits[0] > '7')
      return refuse("a byte (\\x) that is no character");
    to_ += "\\x{" + digits + "}";
    at_ += end + (braces ? 1 : 0);
    return {};
  }

  Result<void> escape(bool inside) {
    if (rest().size() < 2) return refuse("a \\ at its end");
    const char c = rest()[1];
    switch (c) {
      case 'p':
      case 'P': return property(inside);
      case 'x':
        return rest().size() > 2 && rest()[2] == '{' ? hexadecimal(3, 6, true)
                                                     : hexadecimal(2, 2, false);
      case 'u': return hexadecimal(2, 4, false);
      case 's': class_or_own(kSpace, inside); break;
      case 'S': class_or_own(kNoSpace, inside); break;
      case 'd': to_ += "\\p{Nd}"; break;
      case 'D': to_ += "\\P{Nd}"; break;
      case 'v': to_ += "\\x{b}"; break;
      case 'n':
      case 'r':
      case 't':
      case 'f':
      case 'a':
      case 'e': to_ += std::string("\\") + c; break;
      default:
        if (is_letter(c) || is_digit(c)) return refuse(std::string("\\") + c);
        to_ += std::string("\\") + c;
    }
    at_ += 2;
    return {};
  }

  Result<void> char_class() {
    to_ += '[';
    ++at_;
    if (rest().starts_with('^')) {
      to_ += '^';
      ++at_;
    }
    if (rest().starts_with(']')) return refuse("] at the start of a class");
    while (at_ < from_.size() && from_[at_] != ']') {
      if (from_[at_] == '\\') {
        TRY(escape(true));
        continue;
      }
      if (from_[at_] == '[') return refuse("a class inside a class");
      if (rest().starts_with("&&")) return refuse("&& inside a class");
      to_ += from_[at_++];
    }
    if (at_ == from_.size()) return refuse("a class without an end");
    to_ += ']';
    ++at_;
    return {};
  }

  Result<void> group() {
    static constexpr std::string_view kSame[] = {
        "(?:", "(?=", "(?!", "(?<=", "(?<!", "(?>", "(?i:"};
    for (std::string_view start : kSame) {
      if (!rest().starts_with(start)) continue;
      to_ += start;
      at_ += start.size();
      return {};
    }
    if (at_ == 0 && rest().starts_with("(?i)")) {  // later in a pattern the two differ
      to_ += "(?i)";
      at_ += 4;
      return {};
    }
    if (rest().starts_with("(?") || rest().starts_with("(*")) return refuse(rest().substr(0, 4));
    to_ += '(';
    ++at_;
    return {};
  }

  // {2}, {2,}, {2,5}, {,5}. What follows it, + or ?, means different things in the two.
  Result<void> interval() {
    std::size_t end = 1;
    std::string numbers[2];
    for (int part = 0; part < 2; ++part) {
      while (end < rest().size() && is_digit(rest()[end])) numbers[part] += rest()[end++];
      if (part == 0 && (end >= rest().size() || rest()[end] != ',')) break;
      if (part == 0) ++end;
    }
    const bool comma = rest().substr(0, end).find(',') != std::string_view::npos;
    if (end >= rest().size() || rest()[end] != '}' || (numbers[0].empty() && numbers[1].empty()))
      return refuse("{ that starts no repetition");
    const std::string_view behind = rest().substr(end + 1);
    if (behind.starts_with('+') || (!comma && behind.starts_with('?')))
      return refuse("a repetition {} with + or ? behind it");
    to_ += "{" + (numbers[0].empty() ? "0" : numbers[0]) + (comma ? "," : "") + numbers[1] + "}";
    at_ += end + 1;
    return {};
  }

  std::string_view from_;
  std::size_t at_ = 0;
  std::string to_;
};

}  // namespace

Result<std::string> pcre_of_oniguruma(std::string_view expression) {
  return Translator(expression).run();
}

}  // namespace freshet
