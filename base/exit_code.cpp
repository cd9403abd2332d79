#include "base/exit_code.h"

#include <cstdio>

namespace freshet {

ExitCode exit_code_of(Code code) {
  switch (code) {
    case Code::kBadInput: return ExitCode::kBadInput;
    case Code::kRefused: return ExitCode::kRefused;
    case Code::kUnavailable: return ExitCode::kUnavailable;
    case Code::kExpired: return ExitCode::kExpired;
    case Code::kNoSpace: return ExitCode::kNoSpace;
    case Code::kCorrupt: return ExitCode::kCorrupt;
  }
  return ExitCode::kBug;
}

int report(const Error& error) {
  std::fprintf(stderr, "freshet: %s\n", error.what.c_str());
  return static_cast<int>(exit_code_of(error.code));
}

}  // namespace freshet
