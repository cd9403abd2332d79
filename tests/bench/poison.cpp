// The table of attacks and rules on the toy federation, as JSON: one row for each attack, share and
// rule, means over seeds.

#include <cstdio>

#include "base/json.h"
#include "tests/simulations/poison_world.h"

namespace freshet {
namespace {

constexpr std::uint64_t kSeeds = 5;

Json row_of(const Defence& defence, Attack attack, std::uint32_t poisoned) {
  Json row{{"attack", name_of(attack)},
           {"poisoned", poisoned},
           {"nodes", kToyNodes},
           {"rule", defence.name}};
  double accuracy = 0, backdoor = 0;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const auto outcome = run_poisoned(defence, attack, poisoned, seed);
    if (!outcome) return row;  // the rule does not stand so many, and says so
    accuracy += outcome->accuracy / kSeeds;
    backdoor += outcome->backdoor / kSeeds;
  }
  row["accuracy"] = accuracy;
  row["backdoor"] = backdoor;
  return row;
}

}  // namespace
}  // namespace freshet

int main() {
  using namespace freshet;
  Json rows = Json::array();
  for (const Defence& defence : defences_against(0))
    rows.push_back(row_of(defence, Attack::kNone, 0));
  for (const Attack attack : {Attack::kSignFlip, Attack::kScale, Attack::kLabelFlip,
                              Attack::kBackdoor, Attack::kSmallBias})
    for (const std::uint32_t poisoned : {2u, 4u, 6u, 8u})
      for (const Defence& defence : defences_against(poisoned))
        rows.push_back(row_of(defence, attack, poisoned));
  std::puts(to_text(rows).c_str());
  return 0;
}
