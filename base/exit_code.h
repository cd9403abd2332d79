#pragma once
// The exit codes of every Freshet program (docs/exit-codes.md).

#include "base/result.h"

namespace freshet {

enum class ExitCode : int {
  kOk = 0,
  kBug = 1,          // an exception nobody expected
  kUsage = 2,        // an unknown or malformed flag
  kBadInput = 3,     // a file, folder, model or campaign that cannot be used as it is
  kRefused = 4,      // a key, policy or permission says no
  kUnavailable = 5,  // a port in use, a peer that does not answer
  kExpired = 6,      // a deadline passed; a campaign ended without reaching its end
  kNoSpace = 7,      // disk or memory full
  kCorrupt = 8,      // durable state that does not verify
  kInterrupted = 130,
};

ExitCode exit_code_of(Code code);

// Prints "freshet: <what>" to standard error and gives the code to return from main.
int report(const Error& error);

}  // namespace freshet
