#pragma once
// A campaign as one TOML file, read with every unknown key refused by name and line
// (docs/quickstart.md has one).

#include <string>
#include <string_view>

#include "protocol/plan.h"
#include "protocol/robust_plan.h"

namespace freshet {

struct AdaptPlan {  // [adapt]: how the cloud model learns from the federated SLM
  bool enabled = false;
  std::string llm;          // model folder
  std::string public_text;  // text folder
  int rank = 8;
  float alpha = 16;
  int steps = 200, batch = 8, window = 128, top_k = 16;
  float lr = 1e-3f, temperature = 1, weight = 0.7f, weight_end = 0.7f;
  bool shift = true;  // teach what tuning changed in the SLM; false: all that the SLM says
                      // (model/language_model.h)
  std::uint64_t seed = 1;
  bool operator==(const AdaptPlan&) const = default;
};

// kBadInput, naming the first field that is out of bounds and its bounds.
Result<void> validate(const AdaptPlan& adapt);

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
