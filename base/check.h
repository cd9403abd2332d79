#pragma once
// CHECK(condition, "format {}", values...): a bug of ours, in every build. Prints where, what and the values, and
// aborts. Never for what a peer, a file or a user may do: that is a Result.

#include <fmt/core.h>

#include <string>

namespace freshet {

[[noreturn]] void check_failed(const char* file, int line, const char* condition, const std::string& values);

}  // namespace freshet

#undef CHECK  // LibTorch has one of its own, which gives no values
#define CHECK(condition, ...)                                                                          \
  do {                                                                                                 \
    if (!(condition)) [[unlikely]]                                                                     \
      ::freshet::check_failed(__FILE__, __LINE__, #condition, ::fmt::format("" __VA_ARGS__));          \
  } while (false)
