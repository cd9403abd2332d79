#include "coordinator/event_log.h"

#include <fstream>

#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"

namespace freshet {
namespace {

Json heldout_of(const EvaluationTotals& totals) {
  if (totals.bytes == 0) return nullptr;
  return static_cast<double>(totals.millibits) / 1000 / static_cast<double>(totals.bytes);
}

}  // namespace

Json to_json(const campaign::Published& version) {
  return {{"version", version.version.value},
          {"round", version.round.value},
          {"nodes", version.nodes},
          {"adapter", to_hex(version.adapter)},
          {"repeats", version.repeats ? Json(version.repeats->value) : Json(nullptr)},
          {"heldout_bpb_before", heldout_of(version.totals)},
          {"heldout_bytes", version.totals.bytes}};
}

Result<EventLog> EventLog::open(Path file) {
  EventLog log(std::move(file));
  std::error_code error;
  if (!std::filesystem::exists(log.file_, error)) return log;
  TRY_ASSIGN(const std::string text, read_file(log.file_, limits::kRecordFileBytesMax));
  const std::size_t whole = text.rfind('\n') + 1;  // 0: no line at all
  if (whole != text.size()) std::filesystem::resize_file(log.file_, whole, error);
  TRY_ASSIGN(const Json versions, log.versions());
  if (!versions.empty()) {
    TRY_ASSIGN(const auto last, json_get<std::uint64_t>(versions.back(), "version", "events"));
    log.last_ = VersionId{last};
  }
  return log;
}

Result<Json> EventLog::versions() const {
  Json found = Json::array();
  std::error_code error;
  if (!std::filesystem::exists(file_, error)) return found;
  TRY_ASSIGN(const std::string text, read_file(file_, limits::kRecordFileBytesMax));
  for (std::size_t at = 0, end = 0; (end = text.find('\n', at)) != std::string::npos;
       at = end + 1) {
    TRY_ASSIGN(Json line, parse_json(std::string_view(text).substr(at, end - at), file_.string()));
    if (line.value("event", "") != "version") continue;
    line.erase("event");
    found.push_back(std::move(line));
  }
  return found;
}

void EventLog::write(const Json& line) {
  std::ofstream file(file_, std::ios::app);
  file << to_text(line) << '\n';
  if (!file.flush()) log::warning("{}: an event is not kept: {}", file_.string(), to_text(line));
}

void EventLog::add(const std::vector<campaign::Published>& versions) {
  for (const campaign::Published& each : versions) {
    if (last_ && each.version <= *last_) continue;
    Json line = to_json(each);
    line["event"] = "version";
    write(line);
    last_ = each.version;
  }
}

void EventLog::add(const campaign::Group& group, VersionId base) {
  write({{"event", "group"},
         {"round", group.round.value},
         {"base", base.value},
         {"nodes", group.nodes},
         {"heldout_bpb", heldout_of(group.totals)}});
}

void EventLog::held_back(RoundId round, const std::string& why) {
  write({{"event", "held-back"}, {"round", round.value}, {"why", why}});
}

}  // namespace freshet
