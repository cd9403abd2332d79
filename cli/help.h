#pragma once
// The texts of `freshet --help`, `freshet simulate --help`, `freshet privacy --help` and `freshet
// --version`.

#include <string_view>

namespace freshet {

std::string_view main_help();
std::string_view simulate_help();
std::string_view evaluate_help();
std::string_view privacy_help();
std::string_view version_line();

}  // namespace freshet
