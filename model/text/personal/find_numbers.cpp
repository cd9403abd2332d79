// Numbers that people are known by: cards, accounts, telephones, what states give.

#include <algorithm>
#include <array>
#include <string>

#include "model/text/personal/check_digits.h"
#include "model/text/personal/finders.h"

namespace freshet::personal {
namespace {

constexpr std::size_t kGroupsMax = 8, kPhoneDigitsMin = 7, kPhoneDigitsMax = 15;

char upper_of(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

// Groups of digits with one separator between two, all that follow each other.
struct Groups {
  std::array<std::string_view, kGroupsMax> group;
  std::array<char, kGroupsMax> before{};  // the separator; of the first 0
  std::size_t count = 0, end = 0;

  std::string digits(std::size_t groups) const {
    std::string all;
    for (std::size_t i = 0; i < groups; ++i) all += group[i];
    return all;
  }
  std::size_t end_of(std::size_t groups, std::string_view text) const {
    const std::string_view last = group[groups - 1];
    return static_cast<std::size_t>(last.data() - text.data()) + last.size();
  }
};

Groups groups_at(std::string_view text, std::size_t at, std::string_view separators) {
  Groups groups;
  char separator = 0;
  while (groups.count < kGroupsMax && is_digit(at_or_end(text, at))) {
    std::size_t end = at;
    while (is_digit(at_or_end(text, end))) ++end;
    groups.before[groups.count] = separator;
    groups.group[groups.count++] = text.substr(at, end - at);
    groups.end = end;
    separator = at_or_end(text, end);
    if (separator == 0 || separators.find(separator) == std::string_view::npos) break;
    at = end + 1;
  }
  return groups;
}

bool ends_word(std::string_view text, std::size_t end) { return !is_word(at_or_end(text, end)); }

// Letters and digits from `at` on as capitals, single spaces and dashes left out; and where each
// ended.
struct Code {
  std::string text;
  std::array<std::size_t, 48> end{};
};

Code code_at(std::string_view text, std::size_t at, std::size_t most) {
  Code code;
  while (code.text.size() < std::min(most, code.end.size())) {
    const char c = at_or_end(text, at);
    if (is_digit(c) || is_letter(c)) {
      code.text += upper_of(c);
      code.end[code.text.size() - 1] = ++at;
    } else if ((c == ' ' || c == '-' || c == '.') && !code.text.empty() &&
               (is_digit(at_or_end(text, at + 1)) || is_letter(at_or_end(text, at + 1)))) {
      ++at;
    } else {
      break;
    }
  }
  return code;
}

// Where the first `size` characters of a code end, if a word ends there.
std::size_t taken(std::string_view text, const Code& code, std::size_t size) {
  const std::size_t end = code.end[size - 1];
  return ends_word(text, end) ? end : 0;
}

bool is_date_like(const Groups& g) {
  if (g.count < 3 || g.before[1] != g.before[2]) return false;
  const auto size = [&](std::size_t i) { return g.group[i].size(); };
  const auto below = [&](std::size_t i, int most) {
    return std::stoi(std::string(g.group[i])) <= most;
  };
  if (size(0) == 4 && size(1) <= 2 && size(2) <= 2) return below(1, 12) && below(2, 31);
  return size(0) <= 2 && size(1) <= 2 && (size(2) == 4 || g.before[1] == '.') && below(0, 31) &&
         below(1, 31);
}

bool all_years(const Groups& g) {
  return std::all_of(g.group.begin(), g.group.begin() + static_cast<std::ptrdiff_t>(g.count),
                     [](std::string_view each) {
                       return each.size() == 4 &&
                              (each.starts_with("19") || each.starts_with("20"));
                     });
}

bool all_of_three(const Groups& g, std::size_t count) {
  for (std::size_t i = 1; i < count; ++i)
    if (g.group[i].size() != 3) return false;
  return g.group[0].size() <= 3;
}

constexpr std::string_view kPhoneWords =
    "phone|call|tel|mobile|cell|fax|number|contact|reach|dial|ring|whatsapp|telefon|handy";

// Whether groups without "+" or brackets are dialled and not counted, timed or measured.
bool is_dialled(std::string_view text, std::size_t at, const Groups& g, std::size_t digits) {
  if (is_date_like(g) || all_years(g)) return false;
  const bool goes_on = at > 1 && is_digit(text[at - 2]) &&
                       std::string_view(" -./").find(text[at - 1]) != std::string_view::npos;
  if (goes_on) return false;  // the rest of a number that is none
  const bool said = stands_behind(text, at, kPhoneWords);
  const std::string_view first = g.group[0];
  if (g.count == 1) {
    if (first[0] == '0' && digits >= 9 && digits <= 12) return true;
    return said && digits <= 13;
  }
  const bool even =
      std::all_of(g.group.begin(), g.group.begin() + static_cast<std::ptrdiff_t>(g.count),
                  [](std::string_view each) { return each.size() >= 2 && each.size() <= 5; });
  if (!even) return said;
  if (g.count == 2) return said || (first[0] == '0' && digits >= 9);
  // 1.234.567 and 10 000 000 are amounts more often than not.
  const bool amount =
      all_of_three(g, g.count) && (g.before[1] == '.' || g.group[g.count - 1] == "000");
  if (amount || (g.before[1] == '.' && g.group[0].size() < 3)) return said;
  return digits >= 8 || said;
}

}  // namespace

bool stands_behind(std::string_view text, std::size_t at, std::string_view words) {
  constexpr std::size_t kBefore = 28;
  const std::size_t from = at > kBefore ? at - kBefore : 0;
  std::string before;
  for (std::size_t i = from; i < at; ++i) {
    if (text[i] == '\n') before.clear();
    before += is_letter(text[i]) ? static_cast<char>(upper_of(text[i]) - 'A' + 'a') : text[i];
  }
  while (!words.empty()) {
    const std::string_view word = words.substr(0, words.find('|'));
    words.remove_prefix(std::min(words.size(), word.size() + 1));
    if (before.find(word) != std::string::npos) return true;
  }
  return false;
}

std::size_t account_at(std::string_view text, std::size_t at) {
  constexpr std::size_t kShortest = 15, kLongest = 34;
  if (!is_letter(at_or_end(text, at)) || !is_letter(at_or_end(text, at + 1)) ||
      !is_digit(at_or_end(text, at + 2)) || !is_digit(at_or_end(text, at + 3)))
    return 0;
  const Code code = code_at(text, at, kLongest);
  // The longest that fits: what follows may be the next word.
  for (std::size_t size = code.text.size(); size >= kShortest; --size)
    if (passes_mod97(std::string_view(code.text).substr(0, size)))
      if (const std::size_t end = taken(text, code, size)) return end;
  return 0;
}

std::size_t card_at(std::string_view text, std::size_t at) {
  if (!is_digit(at_or_end(text, at)) || text[at] == '0') return 0;
  const Groups g = groups_at(text, at, " -");
  for (std::size_t count = g.count; count >= 1; --count) {
    const std::string digits = g.digits(count);
    if (digits.size() < 12 || digits.size() > 19 || (count > 1 && g.group[0].size() != 4)) continue;
    if (!passes_luhn(digits) || !ends_word(text, g.end_of(count, text))) continue;
    // Of twelve digits every tenth number passes: those of the one brand that has so few.
    if (digits.size() < 13 && !digits.starts_with("50") && digits[0] != '6') continue;
    if (digits.find_first_not_of(digits[0]) == std::string::npos) continue;
    return g.end_of(count, text);
  }
  return 0;
}

std::size_t identity_at(std::string_view text, std::size_t at) {
  const char first = at_or_end(text, at);
  if (!is_digit(first) && !is_letter(first)) return 0;
  const Groups g = groups_at(text, at, "- ");
  if (g.count == 3 && g.group[0].size() == 3 && g.group[1].size() == 2 && g.group[2].size() == 4 &&
      g.before[1] == g.before[2] && is_american_number(g.digits(3)) && ends_word(text, g.end))
    return g.end;
  const Code code = code_at(text, at, 16);
  const auto begins = [&](std::size_t size) { return std::string_view(code.text).substr(0, size); };
  const auto fits = [&](std::size_t size, bool (*check)(std::string_view)) {
    return code.text.size() >= size && check(begins(size)) ? taken(text, code, size) : 0;
  };
  if (const std::size_t end = fits(16, is_italian_code)) return end;
  if (const std::size_t end = fits(15, is_french_number)) return end;
  if (const std::size_t end = fits(9, is_british_number)) return end;
  if (const std::size_t end = fits(9, is_spanish_number)) return end;
  // Digits alone, of which every tenth or hundredth passes: where a word says so, or by their form.
  if (stands_behind(text, at, "pesel")) return fits(11, is_polish_number);
  if (stands_behind(text, at, "steuer|tax id|idnr|tin")) return fits(11, is_german_tax_number);
  if (stands_behind(text, at, "ssn|social security")) return fits(9, is_american_number);
  const bool in_fours = g.count >= 3 && g.group[0].size() == 4 && g.group[1].size() == 4 &&
                        g.group[2].size() == 4 && g.digits(3)[0] >= '2';
  if (in_fours && passes_verhoeff(g.digits(3)) && ends_word(text, g.end_of(3, text)))
    return g.end_of(3, text);
  return 0;
}

// "+44 20 7946 0958", "(0)89 1234567", "555-0100 x12", "01 23 45 67 89".
std::size_t phone_at(std::string_view text, std::size_t at) {
  const std::size_t begin = at;
  const bool abroad = at_or_end(text, at) == '+' && is_digit(at_or_end(text, at + 1));
  bool bracket = false;
  std::size_t digits = 0;
  if (abroad) {
    const Groups country = groups_at(text, ++at, "");
    digits = country.digits(1).size();
    at = country.end;
    if (at_or_end(text, at) == ' ' || at_or_end(text, at) == '-' || at_or_end(text, at) == '.')
      ++at;
    if (digits >= kPhoneDigitsMin && digits <= kPhoneDigitsMax && ends_word(text, country.end) &&
        !is_digit(at_or_end(text, at)) && at_or_end(text, at) != '(')
      return country.end;
  }
  if (at_or_end(text, at) == '(') {
    const Groups area = groups_at(text, at + 1, "");
    if (area.count != 1 || area.digits(1).size() > 5 || at_or_end(text, area.end) != ')') return 0;
    bracket = true;
    digits += area.digits(1).size();
    at = area.end + 1;
    if (at_or_end(text, at) == ' ' || at_or_end(text, at) == '-') ++at;
  }
  const Groups g = groups_at(text, at, " -./");
  if (g.count == 0) return 0;
  const std::size_t own = g.digits(g.count).size();
  digits += own;
  if (digits < kPhoneDigitsMin || digits > kPhoneDigitsMax) return 0;
  if (!abroad && !bracket && !is_dialled(text, begin, g, digits)) return 0;
  if (bracket && !abroad && own < 5) return 0;
  std::size_t end = g.end;
  if (at_or_end(text, end) == 'x' && is_digit(at_or_end(text, end + 1))) {  // an extension
    const Groups extension = groups_at(text, end + 1, "");
    if (extension.digits(1).size() <= 6) end = extension.end;
  }
  return ends_word(text, end) ? end : 0;
}

}  // namespace freshet::personal
