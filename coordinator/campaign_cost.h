#pragma once
// What a campaign will cost before it is submitted: bytes, tokens, members, privacy. And what
// differs between two campaign files.

#include <optional>
#include <string>

#include "base/json_fwd.h"
#include "model/adapter.h"
#include "protocol/campaign_file.h"

namespace freshet {

struct CampaignCost {
  std::uint64_t adapter_entries = 0, adapter_bytes = 0;
  // The means of its rounds: methods take turns with what trains.
  double entries_up = 0, bytes_up = 0;  // of a node's vector; keys and shares come beside it
  int word_bits = 0;
  std::uint64_t tokens = 0;         // that a node trains on for one round
  std::uint32_t members_min = 0;    // the smallest round that can end
  std::uint32_t survivors_min = 0;  // of which so many must answer
  double noise_multiplier = 0;
  std::optional<double> epsilon;  // after all rounds, at the plan's delta; empty: no noise
};

// kBadInput where the plan is out of bounds or does not fit the model.
Result<CampaignCost> cost_of(const CampaignPlan& plan, const ModelConfig& config);
std::string to_text(const CampaignCost& cost, const CampaignPlan& plan);
Json to_json(const CampaignCost& cost, const CampaignPlan& plan);

// A line for every key whose values differ, defaults among them: "[training] steps: 10 -> 20".
// Empty: both are the same campaign.
std::string differences(const CampaignFile& before, const CampaignFile& after);

}  // namespace freshet
