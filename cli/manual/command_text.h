#pragma once
// What every command of `freshet` says about itself: the tree that completion and man pages are
// made of.

#include <string>
#include <vector>

#include "base/result.h"

namespace freshet {

struct FlagText {
  std::vector<std::string> names;  // "-h", "--help"; of a place "FILE"
  std::string says, takes, standard;
  std::vector<std::string> words;  // the values there are, where they are few
  bool required = false;
};

struct CommandText {
  std::string name, says, footer;
  std::vector<FlagText> flags, places;
  std::vector<CommandText> commands;
};

// Of `Command::described`. kCorrupt where the text is something else.
Result<CommandText> command_text(std::string_view json);

// All verbs below "freshet", each as its program beside this one describes it. A program that is
// not built is left out.
Result<CommandText> all_commands();

}  // namespace freshet
