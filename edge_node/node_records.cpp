#include "edge_node/node_records.h"

#include <fcntl.h>
#include <fmt/format.h>

#include "base/json.h"
#include "base/limits.h"

namespace freshet {
namespace {

Json or_null(const std::optional<double>& value) { return value ? Json(*value) : Json(nullptr); }

std::string hex_id(CampaignId id) { return fmt::format("{:016x}", id.value); }

Result<std::optional<double>> optional_number(const Json& json, std::string_view key,
                                              std::string_view source) {
  if (!json.contains(std::string(key)) || json[std::string(key)].is_null())
    return std::optional<double>();
  TRY_ASSIGN(double value, json_get<double>(json, key, source));
  return std::optional<double>(value);
}

}  // namespace

Result<NodeRecords> NodeRecords::open(Path folder, std::string name) {
  TRY(make_folders(folder, 0700));
  return NodeRecords(std::move(folder), std::move(name));
}

Result<void> NodeRecords::add(CampaignId campaign, const Metric& metric) {
  const Path path = folder_ / "metrics.jsonl";
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!fd) return tl::unexpected(errno_error("cannot open", path));
  const Json line = {
      {"campaign", hex_id(campaign)},      {"version", metric.version.value},
      {"heldout_bpb", metric.heldout_bpb}, {"train_loss", or_null(metric.train_loss)},
      {"seconds", metric.seconds},         {"bytes_up", metric.bytes_up},
      {"bytes_down", metric.bytes_down}};
  return write_all(fd.get(), as_bytes(to_text(line) + "\n"), path);
}

Result<void> NodeRecords::save(const CampaignMemory& memory) {
  const Json json = {{"campaign", hex_id(memory.campaign)},
                     {"name", memory.name},
                     {"rounds", memory.rounds},
                     {"contributions", memory.contributions},
                     {"bytes_up", memory.bytes_up},
                     {"bytes_down", memory.bytes_down},
                     {"seconds", memory.seconds},
                     {"evaluated", memory.evaluated ? Json(*memory.evaluated) : Json(nullptr)},
                     {"bpb_before", or_null(memory.bpb_before)},
                     {"bpb_now", or_null(memory.bpb_now)},
                     {"train_loss", or_null(memory.train_loss)},
                     {"reported", memory.reported}};
  return write_file_durably(folder_ / "campaign.json", as_bytes(to_text(json, 2)), 0600);
}

Result<std::optional<CampaignMemory>> NodeRecords::load() const {
  const Path path = folder_ / "campaign.json";
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return std::optional<CampaignMemory>();
  TRY_ASSIGN(std::string text, read_file(path, limits::kOperatorLineBytesMax));
  const std::string source = path.string();
  TRY_ASSIGN(Json json, parse_json(text, source));
  CampaignMemory memory;
  TRY_ASSIGN(std::string campaign, json_get<std::string>(json, "campaign", source));
  TRY_ASSIGN(Bytes id, from_hex(campaign));
  if (id.size() != 8) return fail(Code::kCorrupt, source + ": malformed campaign");
  for (std::uint8_t byte : id) memory.campaign.value = memory.campaign.value << 8 | byte;
  TRY_ASSIGN(memory.name, json_get<std::string>(json, "name", source));
  TRY_ASSIGN(memory.rounds, json_get<std::uint64_t>(json, "rounds", source));
  TRY_ASSIGN(memory.contributions, json_get<std::uint64_t>(json, "contributions", source));
  TRY_ASSIGN(memory.bytes_up, json_get<std::uint64_t>(json, "bytes_up", source));
  TRY_ASSIGN(memory.bytes_down, json_get<std::uint64_t>(json, "bytes_down", source));
  TRY_ASSIGN(memory.seconds, json_get<double>(json, "seconds", source));
  if (json.contains("evaluated") && !json["evaluated"].is_null()) {
    TRY_ASSIGN(memory.evaluated, json_get<std::uint64_t>(json, "evaluated", source));
  }
  TRY_ASSIGN(memory.bpb_before, optional_number(json, "bpb_before", source));
  TRY_ASSIGN(memory.bpb_now, optional_number(json, "bpb_now", source));
  TRY_ASSIGN(memory.train_loss, optional_number(json, "train_loss", source));
  TRY_ASSIGN(memory.reported, json_get<bool>(json, "reported", source));
  return std::optional<CampaignMemory>(std::move(memory));
}

Result<void> NodeRecords::write_status(const Json& status) {
  std::string text = to_text(status);
  if (text == last_status_) return {};
  TRY(write_file_durably(folder_ / "status.json", as_bytes(text + "\n"), 0600));
  last_status_ = std::move(text);
  return {};
}

Result<void> NodeRecords::write_report(const CampaignMemory& memory, const Report& report) {
  const Json json = {{"name", name_},
                     {"campaign", hex_id(memory.campaign)},
                     {"train_bytes", report.train_bytes},
                     {"heldout_bytes", report.heldout_bytes},
                     {"heldout_bpb_before", or_null(memory.bpb_before)},
                     {"heldout_bpb_after", or_null(memory.bpb_now)},
                     {"heldout_bpb_local_only", or_null(report.local_only)},
                     {"bytes_up", memory.bytes_up},
                     {"bytes_down", memory.bytes_down},
                     {"rounds", report.version.value},
                     {"contributions", memory.contributions},
                     {"seconds", memory.seconds}};
  return write_file_durably(folder_ / "report.json", as_bytes(to_text(json, 2) + "\n"), 0600);
}

}  // namespace freshet
