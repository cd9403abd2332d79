#include "protocol/logits_plan.h"

#include <cmath>

#include "base/limits.h"
#include "protocol/bounds.h"
#include "protocol/plan.h"

namespace freshet {

Result<void> validate(const LogitsPlan& logits, const CampaignPlan& plan) {
  TRY(above_zero("[logits] temperature", logits.temperature));
  TRY(within("[logits] confidence_slope", logits.slope, 0.0f, 1000.0f));
  TRY(within("[logits] confidence_full", logits.full, -100.0f, 100.0f));
  if (!logits.on) return {};
  const auto entries = static_cast<std::uint32_t>(limits::kVectorEntriesMax);
  TRY(within<std::uint32_t>("[logits] rows", logits.rows, 1, entries));
  TRY(within<std::uint32_t>("[logits] candidates", logits.candidates, 1,
                            static_cast<std::uint32_t>(limits::kDistillationTopKMax)));
  if (std::uint64_t{logits.rows} * (logits.candidates + 1) > entries)
    return fail(Code::kBadInput, "[logits] rows times candidates is more than a vector may hold");
  if (plan.mode != Mode::kMasked)
    return fail(Code::kBadInput,
                "[adapt] ways has \"logits\", which needs mode = \"masked\": in the other one the "
                "coordinator would read every node's own answers");
  TRY(within<std::uint32_t>("[campaign] rounds (of a campaign of logits)", plan.rounds, 1, 1));
  TRY(within<std::uint32_t>("[update] weight_max (of a campaign of logits)", plan.grid.weight_max,
                            1, 1));
  TRY(within("[update] range (of a campaign of logits)", plan.grid.range, 1.0f, 1.0f));
  if (plan.privacy.on && plan.privacy.adaptive_clip)
    return fail(Code::kBadInput,
                "[privacy] adaptive_clip has no next round to adapt for in a campaign of logits");
  if (plan.evaluation)
    return fail(Code::kBadInput,
                "[evaluation] totals are of a version that nodes share: a campaign of logits has "
                "none");
  return {};
}

void fit_to_answers(CampaignPlan& plan) {
  plan.rounds = 1;
  plan.clip = std::sqrt(static_cast<double>(plan.logits.rows));  // of a row at most 1
  plan.grid.range = 1;
  plan.grid.weight_max = 1;
}

}  // namespace freshet
