#pragma once
// Machines with one thing wrong each: what the invariants of the simulator are there to notice.

#include <string>
#include <vector>

#include "simulations/machines.h"

namespace freshet::sim {

struct Mutant {
  std::string name;
  Machines machines;
};
std::vector<Mutant> mutants();

}  // namespace freshet::sim
