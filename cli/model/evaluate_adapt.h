#pragma once
// What `freshet evaluate adapt` found, as a table for people and as JSON.

#include <string>

#include "base/json.h"
#include "simulations/adapt/ways.h"

namespace freshet {

struct SeedOutcomes {
  std::uint64_t seed = 0;
  std::vector<WayOutcome> outcomes;
  std::size_t longest_private_run = 0;  // bytes, in what the tuned small model wrote
};

Json adapt_json(const std::vector<SeedOutcomes>& seeds);
std::string adapt_table(const std::vector<SeedOutcomes>& seeds);

}  // namespace freshet
