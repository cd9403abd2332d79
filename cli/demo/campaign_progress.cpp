#include "cli/demo/campaign_progress.h"

#include "base/json.h"

namespace freshet::demo {

Result<Progress> parse_progress(std::string_view line) {
  constexpr std::string_view kSource = "the answer of `freshet campaign watch`";
  TRY_ASSIGN(Json json, parse_json(line, kSource));
  Progress progress;
  TRY_ASSIGN(progress.campaign, json_get<std::string>(json, "campaign", kSource));
  TRY_ASSIGN(progress.phase, json_get<std::string>(json, "phase", kSource));
  TRY_ASSIGN(progress.version, json_get<std::uint64_t>(json, "version", kSource));
  TRY_ASSIGN(progress.nodes_ready, json_get_or<std::uint64_t>(json, "nodes_ready", 0, kSource));
  TRY_ASSIGN(progress.why, json_get_or<std::string>(json, "why", "", kSource));
  if (json.contains("eta_s") && json["eta_s"].is_number())
    progress.seconds_left = json["eta_s"].get<double>();
  if (json.contains("adapt") && json["adapt"].is_object()) {
    TRY_ASSIGN(progress.adapt_step, json_get_or<std::uint64_t>(json["adapt"], "step", 0, kSource));
    TRY_ASSIGN(progress.adapt_total,
               json_get_or<std::uint64_t>(json["adapt"], "total", 0, kSource));
  }
  return progress;
}

}  // namespace freshet::demo
