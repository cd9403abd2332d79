#pragma once
// A federation small enough to run by the thousand: a linear model of four kinds of points, learned
// by twenty nodes that see the kinds unevenly, some of them poisoned. The attacks are those of
// simulations/learning/poison.h, the rules those of aggregation/robust/; what is small is the
// model.

#include <optional>
#include <string>
#include <vector>

#include "aggregation/robust/rule.h"
#include "simulations/learning/poison.h"

namespace freshet {

struct Defence {
  std::string name;
  RobustRule rule = Mean{};
  bool norm_bound = true;   // updates longer than the clip are refused, so nobody sends one
  std::uint32_t group = 0;  // members of a group, the rule over their means; 0: over single updates
};
std::vector<Defence> defences_against(
    std::uint32_t poisoned);  // with the numbers that this many ask for

struct PoisonOutcome {
  double accuracy = 0;  // of 1,000 points that nobody trained on
  double backdoor =
      0;  // of those of another kind, with the trigger: taken for the kind that the attacker wants
};
inline constexpr std::size_t kToyNodes = 20;

// Nothing where the rule does not stand so many: check_enough() and groups_of() refuse it.
std::optional<PoisonOutcome> run_poisoned(const Defence& defence, Attack attack,
                                          std::uint32_t poisoned, std::uint64_t seed);

}  // namespace freshet
