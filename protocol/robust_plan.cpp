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

}  // namespace

Result<void> validate(const RobustPlan& robust, const CampaignPlan& plan) {
  TRY(within("[robust] margin", robust.margin, 0.0, 100.0));
  if (!robust.public_text.empty())
    return fail(Code::kBadInput,
                "[robust] public_text: a coordinator does not hold versions back by it yet, only "
                "`freshet simulate learning` does; leave it out");
  if (!needs_single_updates(robust.rule)) return {};
  const std::string_view name = name_of(robust.rule);
  if (plan.mode != Mode::kTrustedCoordinator)
    return fail(Code::kBadInput,
                fmt::format("[robust] rule = \"{}\" looks at updates one by one, and mode = \"{}\" "
                            "hides them: set rule = \"mean\", or mode = \"trusted-coordinator\", "
                            "in which the coordinator opens every update",
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

}  // namespace freshet
