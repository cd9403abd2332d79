#pragma once
// What people type after `freshet` and which program does it. Pure: main.cpp prints and executes.

#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace freshet {

struct Execute {
  std::string program;                 // beside the dispatcher
  std::vector<std::string> arguments;  // without the program's name
};
struct Show {  // to standard output, exit 0
  std::string text;
};
struct Misuse {  // to standard error, exit 2
  std::string text;
};
using Decision = std::variant<Execute, Show, Misuse>;

// `words` are the arguments of `freshet`.
Decision decide(std::span<const std::string> words);

// A verb of `freshet`: one word or two, and what does it.
struct Verb {
  std::string_view name, second;  // second: "" where the first word is enough
  std::string_view program;
  std::string_view before;  // what stands before the other arguments of the program
};
std::span<const Verb> all_verbs();

// The known name nearest to `typed`, or nothing where none is near.
std::string_view nearest(std::string_view typed, std::span<const std::string_view> known);

}  // namespace freshet
