#include "model/text/personal/check_digits.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace freshet {
namespace {

bool all_digits(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}
bool is_capital(char c) { return c >= 'A' && c <= 'Z'; }
int digit(char c) { return c - '0'; }

int number_of(std::string_view digits) {
  int number = 0;
  for (const char c : digits) number = 10 * number + digit(c);
  return number;
}

// A month of one of the centuries that PESEL adds 20, 40, ... to, and a day.
bool is_date(int month, int day) {
  return month % 20 >= 1 && month % 20 <= 12 && day >= 1 && day <= 31;
}

}  // namespace

bool passes_luhn(std::string_view digits) {
  if (digits.size() < 2 || digits.size() > 19 || !all_digits(digits)) return false;
  int sum = 0;
  bool doubled = false;
  for (auto at = digits.rbegin(); at != digits.rend(); ++at, doubled = !doubled) {
    const int value = digit(*at) * (doubled ? 2 : 1);
    sum += value > 9 ? value - 9 : value;
  }
  return sum % 10 == 0;
}

// The first four behind the rest, letters as 10 to 35: the number leaves 1.
bool passes_mod97(std::string_view account) {
  if (account.size() < 15 || account.size() > 34) return false;
  if (!is_capital(account[0]) || !is_capital(account[1]) || !all_digits(account.substr(2, 2)))
    return false;
  unsigned rest = 0;
  for (std::size_t i = 0; i < account.size(); ++i) {
    const char c = account[(i + 4) % account.size()];
    if (is_capital(c)) {
      rest = (rest * 100 + static_cast<unsigned>(c - 'A' + 10)) % 97;
    } else if (c >= '0' && c <= '9') {
      rest = (rest * 10 + static_cast<unsigned>(digit(c))) % 97;
    } else {
      return false;
    }
  }
  return rest == 1;
}

// Verhoeff 1969: the dihedral group of order 10, and the powers of one permutation.
bool passes_verhoeff(std::string_view digits) {
  if (digits.empty() || !all_digits(digits)) return false;
  constexpr std::array<int, 10> kPermutation{1, 5, 7, 6, 2, 8, 3, 0, 9, 4};
  const auto product = [](int a, int b) {
    const bool turned = a >= 5;
    const int flip = (a >= 5) != (b >= 5) ? 5 : 0;
    const int turn = turned ? a % 5 - b % 5 + 5 : a % 5 + b % 5;
    return turn % 5 + flip;
  };
  int check = 0;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    int value = digit(digits[digits.size() - 1 - i]);
    for (std::size_t power = 0; power < i % 8; ++power)
      value = kPermutation[static_cast<std::size_t>(value)];
    check = product(check, value);
  }
  return check == 0;
}

bool is_french_number(std::string_view text) {
  if (text.size() != 15 || (text[0] != '1' && text[0] != '2')) return false;
  std::string_view department = text.substr(5, 2);
  std::int64_t number = 0, less = 0;
  for (std::size_t i = 0; i < 13; ++i) {
    char c = text[i];
    if (i == 6 && department[0] == '2' && (c == 'A' || c == 'B')) {
      less = c == 'A' ? 1'000'000 : 2'000'000;
      c = '0';
    }
    if (c < '0' || c > '9') return false;
    number = 10 * number + digit(c);
  }
  if (!all_digits(text.substr(13))) return false;
  const int month = number_of(text.substr(3, 2));
  const bool has_month = (month >= 1 && month <= 12) || (month >= 20 && month <= 42);
  return has_month && 97 - (number - less) % 97 == number_of(text.substr(13));
}

bool is_german_tax_number(std::string_view digits) {
  if (digits.size() != 11 || !all_digits(digits) || digits[0] == '0') return false;
  std::array<int, 10> times{};
  for (const char c : digits.substr(0, 10)) ++times[static_cast<std::size_t>(digit(c))];
  const auto most = *std::max_element(times.begin(), times.end());
  if (most < 2 || most > 3) return false;  // one digit twice or thrice, the others once at most
  if (std::count_if(times.begin(), times.end(), [](int each) { return each > 1; }) != 1)
    return false;
  int product = 10;
  for (const char c : digits.substr(0, 10)) {
    const int sum = (digit(c) + product) % 10;
    product = 2 * (sum == 0 ? 10 : sum) % 11;
  }
  return (11 - product) % 10 == digit(digits[10]);
}

bool is_polish_number(std::string_view digits) {
  if (digits.size() != 11 || !all_digits(digits)) return false;
  constexpr std::array<int, 10> kWeights{1, 3, 7, 9, 1, 3, 7, 9, 1, 3};
  int sum = 0;
  for (std::size_t i = 0; i < kWeights.size(); ++i) sum += kWeights[i] * digit(digits[i]);
  return is_date(number_of(digits.substr(2, 2)), number_of(digits.substr(4, 2))) &&
         (10 - sum % 10) % 10 == digit(digits[10]);
}

bool is_spanish_number(std::string_view text) {
  if (text.size() != 9) return false;
  constexpr std::string_view kLetters = "TRWAGMYFPDXBNJZSQVHLCKE";
  int number = 0;
  if (text[0] >= 'X' && text[0] <= 'Z') {
    number = text[0] - 'X';
  } else if (text[0] >= '0' && text[0] <= '9') {
    number = digit(text[0]);
  } else {
    return false;
  }
  if (!all_digits(text.substr(1, 7))) return false;
  number = number * 10'000'000 + number_of(text.substr(1, 7));
  return text[8] == kLetters[static_cast<std::size_t>(number) % kLetters.size()];
}

bool is_italian_code(std::string_view text) {
  constexpr std::string_view kForm = "AAAAAA00A00A000A";
  if (text.size() != kForm.size()) return false;
  // What a character at an odd place counts, for 0 to 9 and A to J alike, then K to Z.
  constexpr std::array<int, 26> kOdd{1,  0,  5, 7, 9, 13, 15, 17, 19, 21, 2,  4,  18,
                                     20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23};
  int sum = 0;
  for (std::size_t i = 0; i < kForm.size(); ++i) {
    if (kForm[i] == 'A' ? !is_capital(text[i]) : !all_digits(text.substr(i, 1))) return false;
    const int value = is_capital(text[i]) ? text[i] - 'A' : digit(text[i]);
    if (i + 1 < kForm.size()) sum += i % 2 == 0 ? kOdd[static_cast<std::size_t>(value)] : value;
  }
  return text.back() == 'A' + sum % 26;
}

bool is_british_number(std::string_view text) {
  if (text.size() != 9 || !all_digits(text.substr(2, 6))) return false;
  constexpr std::string_view kNeverFirst = "DFIQUV", kNeverSecond = "DFIOQUV";
  constexpr std::array<std::string_view, 7> kNever{"BG", "GB", "NK", "KN", "TN", "NT", "ZZ"};
  return is_capital(text[0]) && is_capital(text[1]) &&
         kNeverFirst.find(text[0]) == std::string_view::npos &&
         kNeverSecond.find(text[1]) == std::string_view::npos &&
         std::find(kNever.begin(), kNever.end(), text.substr(0, 2)) == kNever.end() &&
         text[8] >= 'A' && text[8] <= 'D';
}

bool is_american_number(std::string_view digits) {
  return digits.size() == 9 && all_digits(digits) && digits[0] != '9' &&
         digits.substr(0, 3) != "000" && digits.substr(0, 3) != "666" &&
         digits.substr(3, 2) != "00" && digits.substr(5) != "0000";
}

}  // namespace freshet
