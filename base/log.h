#pragma once
// One line per event on standard error, with a level. Never a secret, never private text.

#include <fmt/core.h>

#include <string>
#include <string_view>

namespace freshet::log {

enum class Level { kDebug, kInfo, kWarning, kError };

void write(Level level, std::string_view line);
void set_level(Level lowest);
void set_name(std::string_view process);  // stands in every line

template <class... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::kDebug, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::kInfo, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void warning(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::kWarning, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::kError, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace freshet::log
