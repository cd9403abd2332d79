#pragma once
// When a node may train and what becomes of its text, by its owner's word: the sections [training]
// and [data] of the policy file (docs/node-policy.md).

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace freshet {

// Of a day, in local time, from the first minute to before the last; over midnight where it ends
// first. Equal ends: the whole day.
struct DayHours {
  std::uint32_t from_minute = 0, to_minute = 0;
  bool operator==(const DayHours&) const = default;
};
Result<DayHours> day_hours_named(std::string_view text);  // "22:00-06:30"
std::string to_text(const DayHours& hours);

// A limit of 0 is none, and what a device does not tell holds nothing back.
struct DeviceRules {
  std::vector<DayHours> hours;          // empty: at any time
  bool mains_only = false;              // not on battery
  std::uint32_t battery_min = 0;        // percent, while on battery
  double load_max = 0;                  // of other programs: a minute's mean, a core
  double pressure_max = 0;              // percent of time that something waits for memory
  double temperature_max = 90;          // degrees Celsius, of the hottest zone
  std::uint64_t memory_free_mib = 0;    // available before training begins
  std::uint64_t disk_free_mib = 64;     // where the node's folder is
  std::uint64_t bytes_per_day_mib = 0;  // both ways
  bool metered = true;                  // take part while on a metered link
  std::vector<std::string> metered_links{"wwan*", "ppp*", "rmnet*"};  // names of such interfaces
  bool operator==(const DeviceRules&) const = default;
};

// What the owner wants of personal data that the patterns of model/text/personal find.
enum class PersonalData : std::uint8_t { kKeep, kMask, kDrop };
std::string_view name_of(PersonalData);  // "keep", "mask", "drop"
Result<PersonalData> personal_data_named(std::string_view name);

struct DataRules {
  PersonalData personal = PersonalData::kMask;  // drop: the whole document
  std::uint32_t retention_days = 0;             // after which a file is used no more; 0: never
  bool operator==(const DataRules&) const = default;
};

}  // namespace freshet
