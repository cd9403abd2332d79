#pragma once
// One campaign of a simulated fleet from one seed, start to end, with every invariant checked after
// every event.

#include <cstdint>
#include <optional>
#include <string>

#include "simulations/machines.h"
#include "simulations/world.h"

namespace freshet::sim {

struct Outcome {
  std::uint64_t seed = 0;
  std::uint64_t trace = 0;  // the same for the same seed and machines
  std::uint64_t events = 0, messages = 0;
  std::uint64_t attempts = 0, versions = 0, crashes = 0;
  bool finished = false;  // else the campaign failed, for the reason `why`
  std::string why;
  std::int64_t simulated_ms = 0;
  std::optional<std::string> violation;  // and `events` says after which
};

// With several threads nodes work side by side; nothing that comes out depends on their number.
Outcome simulate(const World& world, const Machines& machines = {}, int threads = 1);

}  // namespace freshet::sim
