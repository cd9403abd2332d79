#pragma once
// The campaign that the demo submits, from its settings.

#include "base/files.h"
#include "cli/demo/settings.h"
#include "protocol/campaign_file.h"

namespace freshet::demo {

struct CampaignChoices {
  Mode mode = Mode::kMasked;
  Method method = Method::kRolora;
  ServerRule rule = Sgd{};
  std::uint32_t nodes = 8;
  std::uint64_t seed = 1;
  Path slm, llm, public_text;  // absolute
};

CampaignFile demo_campaign(const Settings& settings, const CampaignChoices& choices);

}  // namespace freshet::demo
