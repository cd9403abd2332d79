#include "coordinator/campaign_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/json.h"
#include "base/limits.h"

namespace freshet {
namespace {

constexpr CampaignState kStates[] = {CampaignState::kQueued,   CampaignState::kRunning,
                                     CampaignState::kAdapting, CampaignState::kFinished,
                                     CampaignState::kFailed,   CampaignState::kStopped};

Result<CampaignState> state_named(std::string_view name) {
  for (CampaignState state : kStates)
    if (name_of(state) == name) return state;
  return fail(Code::kCorrupt, fmt::format("unknown campaign state \"{}\"", name));
}

Result<CampaignRecord> load_record(const Path& folder, CampaignId id) {
  const Path path = folder / "record.json";
  TRY_ASSIGN(std::string text, read_file(path, limits::kOperatorLineBytesMax));
  TRY_ASSIGN(Json json, parse_json(text, path.string()));
  CampaignRecord record;
  record.id = id;
  TRY_ASSIGN(record.number, json_get<std::uint64_t>(json, "number", path.string()));
  TRY_ASSIGN(std::string state, json_get<std::string>(json, "state", path.string()));
  TRY_ASSIGN(record.state, state_named(state));
  TRY_ASSIGN(record.why, json_get<std::string>(json, "why", path.string()));
  TRY_ASSIGN(record.version.value, json_get<std::uint64_t>(json, "version", path.string()));
  TRY_ASSIGN(std::string adapter, json_get<std::string>(json, "adapter", path.string()));
  TRY_ASSIGN(record.adapter, digest_from_hex(adapter));
  TRY_ASSIGN(std::string model, json_get<std::string>(json, "model", path.string()));
  const Path toml_path = folder / "campaign.toml";
  TRY_ASSIGN(std::string toml, read_file(toml_path, limits::kOperatorLineBytesMax));
  TRY_ASSIGN(record.file, parse_campaign_file(toml, toml_path.string()));
  TRY_ASSIGN(record.file.plan.model, digest_from_hex(model));
  return record;
}

}  // namespace

std::string_view name_of(CampaignState state) {
  switch (state) {
    case CampaignState::kQueued: return "queued";
    case CampaignState::kRunning: return "running";
    case CampaignState::kAdapting: return "adapting";
    case CampaignState::kFinished: return "finished";
    case CampaignState::kFailed: return "failed";
    case CampaignState::kStopped: return "stopped";
  }
  return "unknown";
}

std::string campaign_name(CampaignId id) { return fmt::format("{:016x}", id.value); }

Result<CampaignId> campaign_id_from(std::string_view name) {
  CampaignId id;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), id.value, 16);
  if (name.size() != 16 || error != std::errc() || end != name.data() + name.size())
    return fail(
        Code::kBadInput,
        fmt::format(
            "\"{}\" is no campaign: want the 16 hexadecimal digits that `campaign ls` shows",
            name));
  return id;
}

Path campaign_folder(const Path& folder, CampaignId id) {
  return folder / "campaigns" / campaign_name(id);
}

Result<void> save(const Path& folder, const CampaignRecord& record) {
  const Path path = campaign_folder(folder, record.id);
  TRY(make_folders(path, 0700));
  std::error_code error;
  if (!std::filesystem::exists(path / "campaign.toml", error))
    TRY(write_file_durably(path / "campaign.toml", as_bytes(to_toml(record.file)), 0600));
  Json json = {{"number", record.number},
               {"state", std::string(name_of(record.state))},
               {"why", record.why},
               {"version", record.version.value},
               {"adapter", to_hex(record.adapter)},
               {"model", to_hex(record.file.plan.model)}};
  return write_file_durably(path / "record.json", as_bytes(to_text(json, 2)), 0600);
}

Result<std::vector<CampaignRecord>> load_campaigns(const Path& folder) {
  std::vector<CampaignRecord> all;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "campaigns", error)) {
    auto id = campaign_id_from(entry.path().filename().string());
    // A folder without a record is a submission that was never answered.
    if (!id || !std::filesystem::exists(entry.path() / "record.json")) continue;
    if (all.size() >= limits::kCampaignsMax)
      return fail(Code::kNoSpace, fmt::format("{}: more than {} campaigns; move old ones away",
                                              folder.string(), limits::kCampaignsMax));
    auto record = load_record(entry.path(), *id);
    if (!record) return fail(Code::kCorrupt, record.error().what);
    all.push_back(std::move(*record));
  }
  std::sort(all.begin(), all.end(),
            [](const auto& a, const auto& b) { return a.number < b.number; });
  return all;
}

Result<Digest> digest_of_held(const CampaignPlan& plan, const ModelFiles& files) {
  return plan.logits.on ? tokenizer_digest(files) : model_digest(files);
}

Json to_json(const CampaignRecord& record) {
  const CampaignPlan& plan = record.file.plan;
  Json ways = Json::array();
  for (const Way way : record.file.adapt.ways) ways.push_back(std::string(name_of(way)));
  if (!record.file.adapt.enabled) ways.clear();
  return {{"campaign", campaign_name(record.id)},
          {"number", record.number},
          {"name", plan.name},
          {"phase", std::string(name_of(record.state))},
          {"why", record.why},
          {"mode", std::string(name_of(plan.mode))},
          {"method", std::string(name_of(plan.method))},
          {"rule", std::string(name_of(plan.rule))},
          {"rounds", plan.rounds},
          {"version", record.version.value},
          {"model", record.file.model},
          {"adapt", record.file.adapt.enabled},
          {"ways", std::move(ways)}};
}

}  // namespace freshet
