#pragma once
// What the verbs of nodes and coordinators do about their membership: `join TOKEN` and `rotate`
// with what they print, and what `run` does first.

#include <string>

#include "membership/join.h"

namespace freshet::membership {

// `token`: the line, or "-" to read it from standard input, where no other process sees it.
Result<std::string> join_command(const std::string& token, const JoinOptions& options);
Result<std::string> rotate_command(const JoinOptions& options);

// Before a daemon loads its keys: finishes a rotation that was cut off, and asks the authority for
// news, so that a coordinator which joined later is known. Nothing in a folder that never joined.
// Without an answer in `patience_ms` what the folder holds must do.
Result<void> catch_up(const Path& folder, int patience_ms, int stop);

}  // namespace freshet::membership
