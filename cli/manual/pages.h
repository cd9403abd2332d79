#pragma once
// Man pages (man(7)): freshet.1, and freshet-WORD.1 for each first word.

#include <string>
#include <utility>
#include <vector>

#include "cli/manual/command_text.h"

namespace freshet {

// File name and text. `version` stands at the foot of each.
std::vector<std::pair<std::string, std::string>> man_pages(const CommandText& root,
                                                           const std::string& version);

}  // namespace freshet
