#pragma once
// A bad line in front of a server, as a process: so many bytes a second each way, so late, with
// segments lost (what is behind them waits for their second coming, as in TCP), and cut at random.

#include <cstdint>
#include <string>

#include "tests/integration/fleet.h"

namespace freshet::chaos {

struct Line {
  double bytes_per_s = 250'000;  // each way
  int delay_ms = 150;            // one way
  double lost = 0.05;            // of segments
  int cut_every_ms = 0;          // on average; 0: never
  int cut_ms = 10'000;
  std::uint64_t seed = 1;
};

struct SlowLink {
  Child relay;
  std::string address;  // to connect to
};

SlowLink start_slow_link(const std::string& to, const Line& line);

}  // namespace freshet::chaos
