#pragma once
// What one way of adapting the large model came to.

#include <map>
#include <string>

#include "simulations/adapt/score.h"

namespace freshet {

enum class Standing : std::uint8_t { kReference, kControl, kWay };

struct WayOutcome {
  std::string name;
  Standing standing = Standing::kWay;
  Score score;
  std::uint64_t bytes_up = 0;  // of one node, in the whole of it
  double seconds = 0;          // of the nodes and of adapting, after what other ways share with it
  std::map<std::string, double> notes;
};

}  // namespace freshet
