#pragma once
// What a campaign moves over the line of one node, before it is run: the vectors up, what is
// fetched down, by way. The messages around them are small beside (docs/protocol.md) and left out.

#include <cstdint>
#include <string>
#include <vector>

#include "base/json_fwd.h"
#include "base/result.h"
#include "model/model_config.h"
#include "protocol/campaign_file.h"

namespace freshet {

struct WayTraffic {
  std::string way;
  std::uint64_t up = 0, down = 0;  // bytes of one node that is in every round
};

struct Traffic {
  std::vector<WayTraffic> ways;
  std::uint64_t rounds = 0;
  std::uint64_t entries = 0;       // of the largest vector of an adapter round
  std::uint64_t asked_tokens = 0;  // of the question; of one that is not made yet, the break-even
  std::uint32_t candidates = 0;
  double bytes_per_token = 0;    // of an answer
  std::uint64_t break_even = 0;  // tokens whose answers take what the adapters take
};

// `llm`: of [adapt] llm, where the file names one. kBadInput where the plan does not fit the
// models.
Result<Traffic> traffic_of(const CampaignFile& file, const ModelConfig& slm,
                           const ModelConfig* llm);

Json to_json(const Traffic& traffic);
std::string to_text(const Traffic& traffic);

}  // namespace freshet
