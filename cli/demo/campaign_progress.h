#pragma once
// One line of `freshet campaign watch --json`.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace freshet::demo {

struct Progress {
  std::string campaign, phase;
  std::uint64_t version = 0, nodes_ready = 0;
  std::optional<double> seconds_left;
  std::uint64_t adapt_step = 0, adapt_total = 0;
  std::string why;
};

// kBadInput for a line that is no progress.
Result<Progress> parse_progress(std::string_view line);

}  // namespace freshet::demo
