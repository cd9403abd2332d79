#include "protocol/robust_plan.h"

#include <fmt/core.h>

#include "base/limits.h"
#include "protocol/bounds.h"

namespace freshet {
namespace {

Result<void> check_numbers(const GeometricMedian& rule) {
  TRY(within<std::uint32_t>("[robust] passes", rule.passes, 1, limits::kRobustPassesMax));
  return above_zero("[robust] floor", rule.floor);
}
Result<void> check_numbers(const auto&) { return {}; }

Result<void> check_groups(const RobustPlan& robust, const CampaignPlan& plan) {
  TRY(within<std::uint32_t>("[robust] groups", robust.groups, 1, limits::kGroupsMax));
  TRY(within<std::uint32_t>("[robust] poisoned", robust.poisoned, 1, limits::kGroupsMax));
  if (robust.groups == 1) return {};
  if (plan.mode != Mode::kMasked)
    return fail(
        Code::kBadInput,
        "[robust] groups hide updates in sums, and mode = \"trusted-coordinator\" opens every "
        "one: leave groups out, the rule is taken over single updates");
  TRY(check_groups(group_rule(robust, plan), robust.groups));
  return std::visit([](const auto& rule) { return check_numbers(rule); }, robust.rule);
}

Result<void> check_single_updates(const RobustPlan& robust, const CampaignPlan& plan) {
  const std::string_view name = name_of(robust.rule);
  if (plan.mode != Mode::kTrustedCoordinator)
    return fail(Code::kBadInput,
                fmt::format("[robust] rule = \"{}\" looks at updates one by one, and mode = \"{}\" "
                            "hides them: set groups, for the rule to be taken over their means, or "
                            "rule = \"mean\", or mode = \"trusted-coordinator\", in which the "
                            "coordinator opens every update",
                            name, name_of(plan.mode)));
  if (plan.grid.weight_max != 1)
    return fail(Code::kBadInput, fmt::format("[robust] rule = \"{}\" counts every node once: set "
                                             "[update] weight_max = 1, not {}",
                                             name, plan.grid.weight_max));
  if (plan.cohort_max > limits::kRobustUpdatesMax)
    return fail(Code::kBadInput,
                fmt::format("[robust] rule = \"{}\" over a cohort of {}: it compares every two, "
                            "set [cohort] max to {} at most",
                            name, plan.cohort_max, limits::kRobustUpdatesMax));
  if (auto enough = check_enough(robust.rule, plan.survivors_min); !enough)
    return fail(Code::kBadInput, "[cohort] survivors_min: " + enough.error().what);
  return std::visit([](const auto& rule) { return check_numbers(rule); }, robust.rule);
}

}  // namespace

GroupRule group_rule(const RobustPlan& robust, const CampaignPlan& plan) {
  return {robust.rule, plan.cohort_min, robust.poisoned};
}

Result<void> validate(const RobustPlan& robust, const CampaignPlan& plan) {
  TRY(within("[robust] margin", robust.margin, 0.0, 100.0));
  TRY(check_groups(robust, plan));
  if (plan.logits.on && robust != RobustPlan{})
    return fail(Code::kBadInput,
                "[robust] is about versions of an adapter: a campaign of logits publishes none");
  if (robust.groups > 1 || !needs_single_updates(robust.rule)) return {};
  return check_single_updates(robust, plan);
}

}  // namespace freshet
