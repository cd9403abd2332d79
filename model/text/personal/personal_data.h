#pragma once
// Personal data in text that has a form of its own: addresses of mail and machines, telephone, card
// and account numbers, numbers that states give, keys and passwords of programs. Names, places and
// whatever else takes understanding have none, and are not found (docs/private-data.md has what was
// measured).

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/text/document.h"

namespace freshet {

enum class PersonalKind : std::uint8_t {
  kEmail,
  kPhone,
  kCard,      // by Luhn's digit
  kAccount,   // IBAN, by its check digits
  kAddress,   // IPv4, IPv6, MAC
  kIdentity,  // numbers of persons that states give, by form and check digits
  kSecret,    // keys, tokens and passwords of known forms
};
inline constexpr std::size_t kPersonalKinds = 7;
std::string_view name_of(PersonalKind kind);  // "e-mail", ...

struct PersonalSpan {
  std::size_t begin = 0, end = 0;
  PersonalKind kind = PersonalKind::kEmail;
  bool operator==(const PersonalSpan&) const = default;
};

// From the left, none overlapping. Takes time in proportion to the text.
std::vector<PersonalSpan> find_personal(std::string_view text);

using PersonalCounts = std::array<std::uint64_t, kPersonalKinds>;

// The document with each span's kind in its place, as "[phone]"; its segments follow, and what a
// template wrote stays. Adds to the counts.
void mask_personal(Document& document, PersonalCounts& counts);
bool has_personal(const Document& document);

}  // namespace freshet
