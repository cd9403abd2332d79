#include "edge_node/restraint.h"

#include <ctime>

#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"

namespace freshet {
namespace {

constexpr std::int64_t kConcernedMs = 10'000, kUnconcernedMs = 60'000;
constexpr std::uint64_t kBytesUnsaved = 64 * limits::kKiB;  // that a crash may leave uncounted
constexpr std::size_t kTrafficBytesMax = 4096;

std::int64_t local_day() {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  if (::localtime_r(&now, &local) == nullptr) return now / 86'400;
  return (now + local.tm_gmtoff) / 86'400;
}

}  // namespace

Restraint::Restraint(DeviceRules rules, Path folder, Path device_root)
    : rules_(std::move(rules)),
      traffic_(folder / "traffic.json"),
      probe_(std::move(folder), std::move(device_root)),
      day_(local_day()) {
  if (rules_.bytes_per_day_mib > 0) load_traffic();
}

const HeldBack& Restraint::look(const Moment& moment, Instant now) {
  const bool begins = moment.concerned && !concerned_;
  concerned_ = moment.concerned;
  if (now < due_ && !begins) return held_;
  due_ = now + (moment.concerned ? kConcernedMs : kUnconcernedMs);
  Reading reading = probe_.read();
  if (rules_.bytes_per_day_mib > 0) reading.bytes_today = bytes_today(moment.link_bytes);
  HeldBack held = held_back(rules_, reading, moment.training);
  if (held.rule != held_.rule) {
    if (held.hold != Hold::kNone) log::info("held back by {}: {}", held.rule, held.why);
    if (held.hold == Hold::kNone) log::info("no rule holds this node back any more");
  }
  return held_ = std::move(held);
}

std::uint64_t Restraint::bytes_today(std::uint64_t link_bytes) {
  if (const std::int64_t today = local_day(); today != day_) {
    day_ = today;
    bytes_ = saved_ = 0;
  }
  bytes_ += link_bytes - counted_;
  counted_ = link_bytes;
  if (bytes_ - saved_ >= kBytesUnsaved) save_traffic();
  return bytes_;
}

// A file that cannot be read counts as none: the rule keeps a bill small, nothing rests on it.
void Restraint::load_traffic() {
  std::error_code error;
  if (!std::filesystem::exists(traffic_, error)) return;
  const auto load = [&]() -> Result<void> {
    TRY_ASSIGN(const std::string text, read_file(traffic_, kTrafficBytesMax));
    TRY_ASSIGN(const Json json, parse_json(text, traffic_.string()));
    TRY_ASSIGN(const auto day, json_get<std::int64_t>(json, "day", traffic_.string()));
    TRY_ASSIGN(const auto bytes, json_get<std::uint64_t>(json, "bytes", traffic_.string()));
    if (day == day_) bytes_ = saved_ = bytes;
    return {};
  };
  if (auto loaded = load(); !loaded) log::warning("{}; counted anew", loaded.error().what);
}

void Restraint::save_traffic() {
  const std::string text = to_text(Json{{"day", day_}, {"bytes", bytes_}}) + "\n";
  if (auto saved = write_file_durably(traffic_, as_bytes(text), 0600); !saved)
    log::warning("{}", saved.error().what);
  saved_ = bytes_;
}

}  // namespace freshet
