#pragma once
// A campaign as one TOML file, read with every unknown key refused by name and line
// (docs/quickstart.md has one).

#include <string>
#include <string_view>

#include "protocol/adapt_plan.h"
#include "protocol/plan.h"
#include "protocol/robust_plan.h"

namespace freshet {

struct CampaignFile {
  CampaignPlan plan;
  std::string model;  // folder of the base SLM; relative to the file
  AdaptPlan adapt;
  RobustPlan robust = {};
  bool operator==(const CampaignFile&) const = default;
};

// kBadInput with file, line and what to write instead. `source` names the file.
Result<CampaignFile> parse_campaign_file(std::string_view toml, std::string_view source);
// parse_campaign_file() gives it back; the digest of the model has no place in the file and stays
// with the caller.
std::string to_toml(const CampaignFile& file);

}  // namespace freshet
