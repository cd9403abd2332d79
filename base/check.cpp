#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace freshet {

void check_failed(const char* file, int line, const char* condition, const std::string& values) {
  std::fprintf(stderr, "freshet: bug at %s:%d: CHECK(%s) %s\n", file, line, condition, values.c_str());
  std::abort();
}

}  // namespace freshet
