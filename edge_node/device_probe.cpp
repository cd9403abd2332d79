#include "edge_node/device_probe.h"

#include <sys/statvfs.h>

#include <algorithm>
#include <charconv>
#include <ctime>
#include <thread>
#include <vector>

#include "base/limits.h"

namespace freshet {
namespace {

constexpr std::size_t kEntriesMax = 256;          // supplies, zones, routes that are looked at
constexpr std::size_t kProcBytesMax = 64 * 1024;  // of one file
constexpr std::string_view kBlank = " \t\n";

std::string text_of(const Path& path) {
  auto text = read_file(path, kProcBytesMax);
  return text ? std::move(*text) : std::string();
}

std::string_view word_of(std::string_view& rest) {
  const std::size_t begin = rest.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return rest = {};
  const std::size_t end = std::min(rest.find_first_of(kBlank, begin), rest.size());
  const std::string_view word = rest.substr(begin, end - begin);
  rest.remove_prefix(end);
  return word;
}

template <class T>
std::optional<T> number_in(std::string_view text) {
  const std::string_view word = word_of(text);
  T value{};
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc() || end == word.data()) return std::nullopt;
  return value;
}

// The number behind `name` in a text.
template <class T>
std::optional<T> number_after(std::string_view text, std::string_view name) {
  const std::size_t at = text.find(name);
  if (at == std::string_view::npos) return std::nullopt;
  return number_in<T>(text.substr(at + name.size()));
}

std::vector<Path> entries_of(const Path& folder) {
  std::vector<Path> entries;
  std::error_code error;
  for (std::filesystem::directory_iterator at(folder, error), end;
       !error && at != end && entries.size() < kEntriesMax; at.increment(error))
    entries.push_back(at->path());
  return entries;
}

std::string first_word_of(const Path& path) {
  const std::string text = text_of(path);
  std::string_view rest = text;
  return std::string(word_of(rest));
}

}  // namespace

Reading DeviceProbe::read() const {
  Reading reading;
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  if (::localtime_r(&now, &local) != nullptr)
    reading.minute_of_day = static_cast<std::uint32_t>(local.tm_hour * 60 + local.tm_min);
  read_power(reading);
  read_memory(reading);
  read_load(reading);
  read_heat(reading);
  read_link(reading);
  struct statvfs disk {};
  if (::statvfs(folder_.c_str(), &disk) == 0)
    reading.disk_free_mib =
        static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize / limits::kMiB;
  return reading;
}

// Where a charger is there, it says; else the battery does. A battery of a mouse is not the
// device's.
void DeviceProbe::read_power(Reading& reading) const {
  std::optional<bool> charger;
  bool discharging = false;
  for (const Path& supply : entries_of(root_ / "sys/class/power_supply")) {
    const std::string type = first_word_of(supply / "type");
    if (type == "Mains" || type == "USB" || type == "Wireless") {
      const auto online = number_in<int>(text_of(supply / "online"));
      if (online) charger = charger.value_or(false) || *online > 0;
    }
    if (type != "Battery" || first_word_of(supply / "scope") == "Device") continue;
    const auto level = number_in<std::uint32_t>(text_of(supply / "capacity"));
    if (level) reading.battery = std::min(reading.battery.value_or(100), *level);
    discharging = discharging || first_word_of(supply / "status") == "Discharging";
  }
  if (charger || reading.battery) reading.on_mains = charger.value_or(!discharging);
}

void DeviceProbe::read_memory(Reading& reading) const {
  const auto free_kib =
      number_after<std::uint64_t>(text_of(root_ / "proc/meminfo"), "MemAvailable:");
  if (free_kib) reading.memory_free_mib = *free_kib / 1024;
  const std::string pressure = text_of(root_ / "proc/pressure/memory");
  if (pressure.starts_with("some "))
    reading.memory_pressure = number_after<double>(pressure, "avg60=");
}

void DeviceProbe::read_load(Reading& reading) const {
  const auto load = number_in<double>(text_of(root_ / "proc/loadavg"));
  if (load) reading.load = *load / std::max(1u, std::thread::hardware_concurrency());
}

void DeviceProbe::read_heat(Reading& reading) const {
  for (const Path& zone : entries_of(root_ / "sys/class/thermal")) {
    if (!zone.filename().string().starts_with("thermal_zone")) continue;
    const auto millidegrees = number_in<std::int64_t>(text_of(zone / "temp"));
    if (!millidegrees) continue;
    const double degrees = static_cast<double>(*millidegrees) / 1000;
    reading.temperature = std::max(reading.temperature.value_or(degrees), degrees);
  }
}

// The first route to everywhere: interface, destination and gateway in hexadecimal, ...
void DeviceProbe::read_link(Reading& reading) const {
  const std::string routes = text_of(root_ / "proc/net/route");
  std::string_view rest = routes;
  for (std::size_t line = 0; line < kEntriesMax && !rest.empty(); ++line) {
    std::string_view row = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), row.size() + 1));
    const std::string_view name = word_of(row);
    if (word_of(row) != "00000000") continue;
    reading.link = std::string(name);
    return;
  }
}

}  // namespace freshet
