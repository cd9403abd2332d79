#pragma once
// One campaign between real daemons of which one meets a fault, and what must be true when it is
// over all the same.

#include <optional>
#include <string>

#include "tests/chaos/disk.h"
#include "tests/integration/fleet.h"

namespace freshet::chaos {

struct Scenario {
  std::string victim = "c";  // "c": the coordinator; "n0", "n1", ...: a node
  Fault fault = Fault::kKill;
};

struct Lived {
  bool hit = false;                  // false: the victim did not come so far
  std::string where;                 // it was hit
  std::optional<std::string> wrong;  // what is not as it must be
};

// The fault strikes at the n-th place, once; whoever ended by it is started again, as a service
// manager does. `undisturbed`: what the campaign ends with when nothing happens.
Lived live_through(const World& world, const Path& folder, const Scenario& scenario, int at,
                   const std::string& undisturbed);

}  // namespace freshet::chaos
