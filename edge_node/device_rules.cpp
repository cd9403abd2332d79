#include "edge_node/device_rules.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/limits.h"

namespace freshet {
namespace {

constexpr double kCoolerBy = 5;  // degrees, before a training begins or goes on

bool within_hours(const DayHours& hours, std::uint32_t minute) {
  if (hours.from_minute == hours.to_minute) return true;
  if (hours.from_minute < hours.to_minute)
    return minute >= hours.from_minute && minute < hours.to_minute;
  return minute >= hours.from_minute || minute < hours.to_minute;
}

struct Judge {
  const DeviceRules& rules;
  const Reading& reading;
  bool training;
  HeldBack worst{};

  void hold(Hold hold, std::string_view rule, std::string why) {
    if (hold > worst.hold) worst = {hold, std::string(rule), std::move(why)};
  }

  void judge_time() {
    const auto& hours = rules.hours;
    const std::uint32_t now = reading.minute_of_day;
    if (hours.empty() || std::any_of(hours.begin(), hours.end(), [now](const DayHours& each) {
          return within_hours(each, now);
        }))
      return;
    std::string allowed;
    for (const DayHours& each : hours) allowed += (allowed.empty() ? "" : ", ") + to_text(each);
    hold(Hold::kPause, "hours",
         fmt::format("trains at {}, and it is {:02}:{:02}", allowed, now / 60, now % 60));
  }

  void judge_power() {
    const bool on_battery = reading.on_mains && !*reading.on_mains;
    if (on_battery && rules.mains_only)
      hold(Hold::kPause, "mains_only", "the device runs on its battery");
    if (on_battery && reading.battery && *reading.battery < rules.battery_min)
      hold(Hold::kPause, "battery_min",
           fmt::format("the battery is at {} %, and the rule asks for {} %", *reading.battery,
                       rules.battery_min));
  }

  void judge_heat() {
    if (rules.temperature_max <= 0 || !reading.temperature) return;
    const double most = rules.temperature_max - (training ? 0 : kCoolerBy);
    if (*reading.temperature > most)
      hold(Hold::kPause, "temperature_max",
           fmt::format("{:.0f} degrees, and the rule allows {:.0f}{}", *reading.temperature,
                       rules.temperature_max,
                       training ? "" : fmt::format(", {:.0f} to begin", most)));
  }

  void judge_room() {
    if (!training && rules.load_max > 0 && reading.load && *reading.load > rules.load_max)
      hold(Hold::kBegin, "load_max",
           fmt::format("other programs load each core with {:.2f}, and the rule allows {:.2f}",
                       *reading.load, rules.load_max));
    if (rules.pressure_max > 0 && reading.memory_pressure &&
        *reading.memory_pressure > rules.pressure_max)
      hold(
          Hold::kEnd, "pressure_max",
          fmt::format("programs wait for memory {:.0f} % of the time, and the rule allows {:.0f} %",
                      *reading.memory_pressure, rules.pressure_max));
    if (!training && reading.memory_free_mib && *reading.memory_free_mib < rules.memory_free_mib)
      hold(Hold::kBegin, "memory_free_mib",
           fmt::format("{} MiB of memory are free, and the rule asks for {}",
                       *reading.memory_free_mib, rules.memory_free_mib));
    if (reading.disk_free_mib && *reading.disk_free_mib < rules.disk_free_mib)
      hold(Hold::kBegin, "disk_free_mib",
           fmt::format("{} MiB are free on the disk, and the rule asks for {}",
                       *reading.disk_free_mib, rules.disk_free_mib));
  }

  void judge_link() {
    const auto& links = rules.metered_links;
    const bool metered =
        reading.link && std::any_of(links.begin(), links.end(), [&](const std::string& each) {
          return matches_name(each, *reading.link);
        });
    if (metered && !rules.metered)
      hold(Hold::kOffline, "metered",
           fmt::format("the link over {} is metered, and the rule keeps off such", *reading.link));
    const std::uint64_t most = rules.bytes_per_day_mib * limits::kMiB;
    if (most > 0 && reading.bytes_today >= most)
      hold(Hold::kOffline, "bytes_per_day_mib",
           fmt::format("{:.1f} MiB went over the link today, and the rule allows {}",
                       static_cast<double>(reading.bytes_today) / limits::kMiB,
                       rules.bytes_per_day_mib));
  }
};

}  // namespace

bool matches_name(std::string_view pattern, std::string_view name) {
  if (pattern.empty()) return name.empty();
  if (pattern.front() != '*')
    return !name.empty() && pattern.front() == name.front() &&
           matches_name(pattern.substr(1), name.substr(1));
  const std::string_view rest = pattern.substr(1);
  for (std::size_t skipped = 0; skipped <= name.size(); ++skipped)
    if (matches_name(rest, name.substr(skipped))) return true;
  return false;
}

HeldBack held_back(const DeviceRules& rules, const Reading& reading, bool training) {
  Judge judge{rules, reading, training};
  judge.judge_time();
  judge.judge_power();
  judge.judge_room();
  judge.judge_heat();
  judge.judge_link();
  return judge.worst;
}

}  // namespace freshet
