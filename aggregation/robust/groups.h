#pragma once
// A robust rule under masks: the roster is cut into random groups, each a masked sum of its own,
// and the rule is taken over the means of groups, which is all that is ever opened (SHARE:
// Velicheti et al. 2021, arXiv:2110.02940). One poisoned node poisons its group, so this stands few
// attackers only: 2 f + 3 groups for f of them. What it costs in privacy is stated by GroupCost:
// many small sums are opened where one large one was.

#include <cstdint>
#include <vector>

#include "aggregation/robust/rule.h"
#include "aggregation/updates.h"
#include "base/bytes.h"

namespace freshet {

struct GroupRule {
  RobustRule over_means = Median{};
  std::uint32_t members_min = 8;   // of a group: on the roster, and again among the survivors
  std::uint32_t poisoned_max = 1;  // nodes, each of which may lie in a group of its own
  bool operator==(const GroupRule&) const = default;
};

// How many groups the rule needs, at least. The means of fewer are refused.
std::uint32_t groups_needed(const GroupRule& rule);
// kBadInput, saying how many it takes, where so many groups do not stand those that may be
// poisoned.
Result<void> check_groups(const GroupRule& rule, std::uint32_t groups);

// As many groups as `members` fill with members_min each. kBadInput, saying how many members it
// takes, where these are fewer than 2 poisoned_max + 3 or than the rule itself wants.
Result<std::uint32_t> groups_of(const GroupRule& rule, std::uint32_t members);

// The same seed gives the same groups, by rising index; sizes differ by one at most. For groups
// that nobody could choose, `seed` is a digest over the coordinator's commitment, opened after the
// roster was closed, and every member's nonce; and over the round, so that groups are new in every
// round. REQUIRES: 1 <= groups <= members.
std::vector<std::vector<std::uint32_t>> split_into_groups(const Digest& seed, std::uint32_t members,
                                                          std::uint32_t groups);

// What one round of groups opens, against one sum over all.
struct GroupCost {
  std::uint32_t releases =
      1;  // sums that are opened; a node is in one of them, so its epsilon is that of one
  std::uint32_t hidden_in = 0;  // members of the smallest of them, all that a node hides among
  // Each sum must carry all the noise by itself: the noise of the rounds's mean, over that of one
  // sum's over all members.
  double noise_factor = 1;
};
GroupCost cost_of(std::uint32_t members, std::uint32_t groups);

// The rule over the means of groups; each counts once. A group that lost too many members is not
// opened and not in here. total_weight and count add up. kBadInput as robust_mean() says, or where
// so many groups are gone that poisoned_max nodes could decide: 2 poisoned_max + 3 must be left.
Result<MeanUpdate> mean_of_groups(const GroupRule& rule, const std::vector<MeanUpdate>& means);

}  // namespace freshet
