#pragma once
// Whether a node may train or use its link now: its owner's rules held against what the device says
// of itself. Pure; a rule that holds back says so in words for the node's people.

#include <cstdint>
#include <optional>
#include <string>

#include "protocol/device_rules.h"

namespace freshet {

// What a device says; what it does not say is empty.
struct Reading {
  std::uint32_t minute_of_day = 0;  // local time
  std::optional<bool> on_mains;
  std::optional<std::uint32_t> battery;          // percent
  std::optional<double> load;                    // a minute's mean of runnable tasks, a core
  std::optional<double> memory_pressure;         // percent of the last minute
  std::optional<double> temperature;             // degrees Celsius, the hottest zone
  std::optional<std::uint64_t> memory_free_mib;  // available
  std::optional<std::uint64_t> disk_free_mib;
  std::optional<std::string> link;  // the interface of the default route
  std::uint64_t bytes_today = 0;    // of this node
};

// What a rule asks for. A training that runs goes on where a rule only says when to begin.
enum class Hold : std::uint8_t {
  kNone,
  kBegin,    // begin nothing; what runs goes on
  kPause,    // what runs waits, in memory
  kEnd,      // what runs ends, and begins anew later
  kOffline,  // begin nothing, and ask for nothing and offer nothing over the link
};
struct HeldBack {
  Hold hold = Hold::kNone;
  std::string rule, why;  // the key of the policy file; for people
  bool operator==(const HeldBack&) const = default;
};

// The strictest of the rules that hold back, the first of them in the file. `training`: one runs,
// so the load is its own; and what rose until it was paused must fall well below before it goes on.
HeldBack held_back(const DeviceRules& rules, const Reading& reading, bool training);

// `*` stands for any letters.
bool matches_name(std::string_view pattern, std::string_view name);

}  // namespace freshet
