#pragma once
// Thousands of nodes that are connected and wait, before a real coordinator on one processor core:
// how soon all are let in, and what their signs of life cost from then on. The nodes are sockets of
// one process, each with keys of its own.

#include "base/files.h"
#include "base/result.h"

namespace freshet {

struct IdlePlan {
  int nodes = 10'000;
  int beat_ms = 10'000;  // between two signs of life of one node
  int measured_ms = 20'000;
  int beats_of_an_hour = 360;  // of each node, as fast as they are taken
};

struct IdleCost {
  double accepted_s = 0;                      // until the last node had its first answer
  double fresh_mb = 0, after_an_hour_mb = 0;  // resident, of the coordinator
  double p99_ms = 0, median_ms = 0;           // from a sign of life to its answer
  double core = 0;                            // share of one, at `beat_ms`
  double frame_us = 0;                        // of the processor, one sign of life at full speed
};

Result<IdleCost> measure_idle(const Path& folder, const Path& programs, const IdlePlan& plan);

}  // namespace freshet
