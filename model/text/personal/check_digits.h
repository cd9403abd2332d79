#pragma once
// Whether a number's check digits fit it. All take digits alone, or digits and capital letters.

#include <string_view>

namespace freshet {

bool passes_luhn(std::string_view digits);           // cards (ISO/IEC 7812), 2 to 19 digits
bool passes_mod97(std::string_view account);         // IBAN (ISO 13616) as it is written, no spaces
bool passes_verhoeff(std::string_view digits);       // Aadhaar
bool is_french_number(std::string_view text);        // NIR: 15 digits, 2A and 2B for Corsica
bool is_german_tax_number(std::string_view digits);  // 11 digits, ISO 7064 mod 11, 10
bool is_polish_number(std::string_view digits);      // PESEL: 11 digits, a date in them
bool is_spanish_number(std::string_view text);       // DNI and NIE: 8 characters and a letter
bool is_italian_code(std::string_view text);         // codice fiscale: 16 characters
bool is_british_number(std::string_view text);       // NINO: AB123456C
bool is_american_number(std::string_view digits);    // SSN: 9 digits, those that may be given out

}  // namespace freshet
