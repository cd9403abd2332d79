#pragma once
// Markup off: what people read of a manual page (roff), a Perl manual (POD), a DICT dictionary, a
// file of fortunes. Text that is no such markup passes through; nothing here fails.

#include <string>
#include <string_view>

namespace freshet::demo {

std::string plain_from_roff(std::string_view page);
std::string plain_from_pod(std::string_view pod);
std::string plain_from_dictionary(std::string_view entries);
std::string plain_from_fortunes(std::string_view fortunes);

// At most one empty line in a row, none at the ends, no spaces before a line's end, no control
// characters but newlines and tabs.
std::string tidy(std::string_view text);

}  // namespace freshet::demo
