#include "protocol/device_rules.h"

#include <fmt/format.h>

#include <charconv>

#include "protocol/bounds.h"
#include "protocol/device_toml.h"

namespace freshet {
namespace {

using toml_file::Document;
using toml_file::Section;

constexpr std::size_t kDayHoursMax = 24, kMeteredLinksMax = 32, kLinkPatternMax = 32;
constexpr std::string_view kPersonalData[] = {"keep", "mask", "drop"};

// "06:30" as minutes; "24:00" is the end of a day.
std::optional<std::uint32_t> minute_named(std::string_view text) {
  if (text.size() != 5 || text[2] != ':') return std::nullopt;
  std::uint32_t hour = 0, minute = 0;
  const auto number = [](std::string_view digits, std::uint32_t& to) {
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), to);
    return error == std::errc() && end == digits.data() + digits.size();
  };
  if (!number(text.substr(0, 2), hour) || !number(text.substr(3), minute)) return std::nullopt;
  if (hour > 24 || minute > 59 || (hour == 24 && minute > 0)) return std::nullopt;
  return 60 * hour + minute;
}

Result<void> check_links(const std::vector<std::string>& links) {
  TRY(within<std::size_t>("the number of metered_links", links.size(), 0, kMeteredLinksMax));
  for (const std::string& link : links) {
    TRY(within<std::size_t>("the length of a name in metered_links", link.size(), 1,
                            kLinkPatternMax));
    TRY(within<std::ptrdiff_t>("the number of * in a name of metered_links",
                               std::count(link.begin(), link.end(), '*'), 0, 4));
  }
  return {};
}

Result<void> validate_device(const DeviceRules& rules) {
  TRY(within<std::size_t>("the number of hours", rules.hours.size(), 0, kDayHoursMax));
  TRY(within<std::uint32_t>("battery_min", rules.battery_min, 0, 100));
  TRY(within("load_max", rules.load_max, 0.0, 1000.0));
  TRY(within("pressure_max", rules.pressure_max, 0.0, 100.0));
  TRY(within("temperature_max", rules.temperature_max, 0.0, 200.0));
  constexpr std::uint64_t kMost = std::uint64_t{1} << 32;
  TRY(within<std::uint64_t>("memory_free_mib", rules.memory_free_mib, 0, kMost));
  TRY(within<std::uint64_t>("disk_free_mib", rules.disk_free_mib, 0, kMost));
  TRY(within<std::uint64_t>("bytes_per_day_mib", rules.bytes_per_day_mib, 0, kMost));
  return check_links(rules.metered_links);
}

std::string text_list(const std::vector<std::string>& texts) {
  std::string result;
  for (const std::string& text : texts)
    result += fmt::format("{}\"{}\"", result.empty() ? "" : ", ", text);
  return "[" + result + "]";
}

}  // namespace

Result<DayHours> day_hours_named(std::string_view text) {
  if (text.size() == 11 && text[5] == '-') {
    const auto from = minute_named(text.substr(0, 5)), to = minute_named(text.substr(6));
    if (from && to) return DayHours{*from % (24 * 60), *to % (24 * 60)};
  }
  return fail(Code::kBadInput,
              fmt::format("\"{}\" are no hours: write them as \"22:00-06:30\"", text));
}

std::string to_text(const DayHours& hours) {
  return fmt::format("{:02}:{:02}-{:02}:{:02}", hours.from_minute / 60, hours.from_minute % 60,
                     hours.to_minute / 60, hours.to_minute % 60);
}

std::string_view name_of(PersonalData personal) {
  return kPersonalData[static_cast<std::size_t>(personal)];
}

Result<PersonalData> personal_data_named(std::string_view name) {
  for (const auto each : {PersonalData::kKeep, PersonalData::kMask, PersonalData::kDrop})
    if (name == name_of(each)) return each;
  return fail(Code::kBadInput,
              fmt::format("\"{}\" is none of \"keep\", \"mask\" and \"drop\"", name));
}

Result<void> read_training(const Document& document, DeviceRules& rules) {
  Section section = document.section("training");
  std::vector<std::string> hours;
  section.texts("hours", hours);
  section.flag("mains_only", rules.mains_only);
  section.whole("battery_min", rules.battery_min);
  section.real("load_max", rules.load_max);
  section.real("pressure_max", rules.pressure_max);
  section.real("temperature_max", rules.temperature_max);
  section.whole("memory_free_mib", rules.memory_free_mib);
  section.whole("disk_free_mib", rules.disk_free_mib);
  section.whole("bytes_per_day_mib", rules.bytes_per_day_mib);
  section.flag("metered", rules.metered);
  section.texts("metered_links", rules.metered_links);
  TRY(section.finish());
  const std::string where = fmt::format("{}: [training]", document.source);
  for (const std::string& each : hours) {
    auto named = day_hours_named(each);
    if (!named) return fail_in(where, named.error());
    rules.hours.push_back(*named);
  }
  if (auto valid = validate_device(rules); !valid) return fail_in(where, valid.error());
  return {};
}

Result<void> read_data(const Document& document, DataRules& rules) {
  Section section = document.section("data");
  section.choice("personal", rules.personal, personal_data_named);
  section.whole("retention_days", rules.retention_days);
  TRY(section.finish());
  auto valid = within<std::uint32_t>("retention_days", rules.retention_days, 0, 36'500);
  if (!valid) return fail_in(fmt::format("{}: [data]", document.source), valid.error());
  return {};
}

std::string training_toml(const DeviceRules& rules) {
  std::vector<std::string> hours;
  for (const DayHours& each : rules.hours) hours.push_back(to_text(each));
  return fmt::format(
      "\n[training]\n"
      "# When to train, in local time, as \"22:00-06:30\"; empty: at any time.\n"
      "hours = {}\n"
      "# Not on battery; or on battery down to so many percent. 0 in what follows: no such rule.\n"
      "mains_only = {}\n"
      "battery_min = {}\n"
      "# To begin: what other programs load each core with, a minute's mean.\n"
      "load_max = {}\n"
      "# Percent of the last minute in which some program waited for memory.\n"
      "pressure_max = {}\n"
      "# Degrees Celsius of the hottest zone; a training begins or goes on 5 degrees below.\n"
      "temperature_max = {}\n"
      "# To begin: free memory, and room on the disk of the node's folder.\n"
      "memory_free_mib = {}\n"
      "disk_free_mib = {}\n"
      "# Over the link in a day, both ways.\n"
      "bytes_per_day_mib = {}\n"
      "# Take part over links that cost by the byte: interfaces of these names.\n"
      "metered = {}\n"
      "metered_links = {}\n",
      text_list(hours), rules.mains_only, rules.battery_min, rules.load_max, rules.pressure_max,
      rules.temperature_max, rules.memory_free_mib, rules.disk_free_mib, rules.bytes_per_day_mib,
      rules.metered, text_list(rules.metered_links));
}

std::string data_toml(const DataRules& rules) {
  return fmt::format(
      "\n[data]\n"
      "# E-mail addresses, telephone and card numbers and the like: \"mask\" puts their kind in\n"
      "# their place before training, \"drop\" leaves the whole document out, \"keep\" trains on\n"
      "# them.\n"
      "personal = \"{}\"\n"
      "# Days for which a file is used, from when this node first saw it; 0: for ever.\n"
      "retention_days = {}\n",
      name_of(rules.personal), rules.retention_days);
}

}  // namespace freshet
