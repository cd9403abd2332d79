#pragma once
// [robust] of a campaign file: what the coordinator does against poisoned updates beyond the clip.
// Its own business: nodes need not agree on it, and it is no part of the plan's digest.

#include <string>

#include "aggregation/robust/groups.h"
#include "protocol/plan.h"

namespace freshet {

struct RobustPlan {
  RobustRule rule = Mean{};
  std::uint32_t groups = 1;    // of a masked campaign: sums, each over a [cohort] of its own, whose
                               // means the rule is taken over
  std::uint32_t poisoned = 1;  // nodes that it shall stand, where there are groups
  std::string public_text;     // folder; a version that reads its held-out part worse is not
                               // published. Empty: no gate
  double margin = 0.05;        // bits per byte that it may be worse
  bool operator==(const RobustPlan&) const = default;
};

// kBadInput, by name: a rule over single updates in a mode that hides them, with weights above 1,
// with fewer survivors than it needs, or with a larger cohort than it can take; groups where single
// updates are open, too few for the rule or for those that may be poisoned.
Result<void> validate(const RobustPlan& robust, const CampaignPlan& plan);

GroupRule group_rule(const RobustPlan& robust, const CampaignPlan& plan);

}  // namespace freshet
