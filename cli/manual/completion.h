#pragma once
// What the Tab key offers: one script for bash, which zsh runs through its bashcompinit.

#include <string>

#include "cli/manual/command_text.h"

namespace freshet {

std::string bash_completion(const CommandText& root);
std::string zsh_completion(const CommandText& root);

}  // namespace freshet
