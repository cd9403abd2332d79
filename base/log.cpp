#include "base/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <string>

namespace freshet::log {
namespace {

spdlog::logger& logger() {
  static auto instance = [] {
    auto made = spdlog::stderr_color_mt("freshet");
    made->set_pattern("%H:%M:%S.%e %n %^%l%$ %v");
    return made;
  }();
  return *instance;
}

spdlog::level::level_enum level_of(Level level) {
  switch (level) {
    case Level::kDebug: return spdlog::level::debug;
    case Level::kInfo: return spdlog::level::info;
    case Level::kWarning: return spdlog::level::warn;
    case Level::kError: return spdlog::level::err;
  }
  return spdlog::level::info;
}

std::string& process_name() {
  static std::string name;
  return name;
}

}  // namespace

void write(Level level, std::string_view text) {
  // One line an event, whatever a peer has put into a name.
  std::string line(text);
  std::replace_if(line.begin(), line.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
  if (process_name().empty()) {
    logger().log(level_of(level), line);
  } else {
    logger().log(level_of(level), "[{}] {}", process_name(), line);
  }
}

void set_level(Level lowest) { logger().set_level(level_of(lowest)); }

void set_name(std::string_view process) { process_name() = process; }

}  // namespace freshet::log
