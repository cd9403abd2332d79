#pragma once
// What a coordinator shows Prometheus: docs/metrics.md lists the names.

#include <string>

#include "base/json.h"

namespace freshet {

struct CoordinatorFigures {
  Json campaigns = Json::array();  // as `campaign ls` shows them
  std::uint64_t nodes_allowed = 0, bytes_up = 0, bytes_down = 0;
  double uptime_s = 0;
};

std::string metrics_text(const CoordinatorFigures& figures);

}  // namespace freshet
