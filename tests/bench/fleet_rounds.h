#pragma once
// A campaign between the real daemons, whose trainers take no time: what a round costs beside
// training, and the memory that the daemons take for it.

#include <cstddef>

#include "base/files.h"
#include "base/result.h"

namespace freshet {

struct FleetSize {
  int nodes = 4;
  int width = 576, layers = 24;  // of the model: its adapter has 32 * width * layers entries
  bool masked = false;
};

struct RoundCost {  // medians over a campaign's rounds, its first ones left out
  double ms = 0;    // from the opening of a round to the last node's having the next version
  double after_training_ms = 0;            // the same from the end of the last node's training
  double coordinator_mb = 0, node_mb = 0;  // resident at the most, of the process
};

// `folder`: on the disk that counts; emptied. `programs`: where the daemons are.
Result<RoundCost> measure_rounds(const Path& folder, const Path& programs, const FleetSize& size);

}  // namespace freshet
