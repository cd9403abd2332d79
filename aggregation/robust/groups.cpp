#include "aggregation/robust/groups.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "aggregation/robust/combine.h"
#include "base/check.h"
#include "base/limits.h"
#include "base/rng.h"

namespace freshet {
namespace {

std::uint64_t groups_min(const GroupRule& rule) { return 2 * std::uint64_t{rule.poisoned_max} + 3; }

}  // namespace

Result<void> check_groups(const GroupRule& rule, std::uint32_t groups) {
  if (groups < groups_min(rule))
    return fail(Code::kBadInput,
                fmt::format("{} groups do not stand {} poisoned nodes: it takes {} groups of at "
                            "least {} members each; invite more nodes, or expect fewer poisoned",
                            groups, rule.poisoned_max, groups_min(rule), rule.members_min));
  return check_enough(rule.over_means, groups);
}

std::uint32_t groups_needed(const GroupRule& rule) {
  std::uint32_t groups = static_cast<std::uint32_t>(groups_min(rule));
  while (groups < limits::kGroupsMax && !check_enough(rule.over_means, groups)) ++groups;
  return groups;
}

Result<std::uint32_t> groups_of(const GroupRule& rule, std::uint32_t members) {
  if (rule.members_min < 1) return fail(Code::kBadInput, "a group needs a member at least");
  const std::uint32_t groups = members / rule.members_min;
  TRY(check_groups(rule, groups));
  return groups;
}

std::vector<std::vector<std::uint32_t>> split_into_groups(const Digest& seed, std::uint32_t members,
                                                          std::uint32_t groups) {
  CHECK(groups >= 1 && groups <= members, "{} groups of {} members", groups, members);
  std::uint64_t key[2];
  std::memcpy(key, seed.data(), sizeof key);
  Rng rng(key[0], key[1]);
  std::vector<std::uint32_t> order(members);
  std::iota(order.begin(), order.end(), 0u);
  for (std::size_t i = members; i > 1; --i) std::swap(order[i - 1], order[rng.below(i)]);
  std::vector<std::vector<std::uint32_t>> split(groups);
  for (std::uint32_t i = 0; i < members; ++i) split[i % groups].push_back(order[i]);
  for (auto& group : split) std::sort(group.begin(), group.end());
  return split;
}

GroupCost cost_of(std::uint32_t members, std::uint32_t groups) {
  CHECK(groups >= 1 && groups <= members, "{} groups of {} members", groups, members);
  return {groups, members / groups, std::sqrt(static_cast<double>(groups))};
}

Result<MeanUpdate> mean_of_groups(const GroupRule& rule, const std::vector<MeanUpdate>& means) {
  TRY(check_groups(rule, static_cast<std::uint32_t>(means.size())));
  std::vector<std::vector<float>> values;
  MeanUpdate result;
  for (const MeanUpdate& mean : means) {
    values.push_back(mean.values);
    result.total_weight += mean.total_weight;
    result.count += mean.count;
  }
  TRY_ASSIGN(const std::vector<double> robust, robust_mean(rule.over_means, values));
  result.values.assign(robust.begin(), robust.end());
  return result;
}

}  // namespace freshet
