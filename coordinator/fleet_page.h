#pragma once
// The nodes that may connect to a coordinator, and what the campaign under way knows of each, for
// its operator: a page at a time, so that no answer grows with the fleet. Pure.

#include <optional>
#include <string>

#include "base/json_fwd.h"
#include "coordinator/allow_list.h"
#include "coordinator/campaign.h"

namespace freshet {

inline constexpr std::size_t kFleetPageNodes = 500;

struct FleetQuestion {
  NodeId after;           // nodes above this id; {0}: from the first
  bool cohort = false;    // those of the open round alone
  std::string node = {};  // the one of this name or id alone; empty: all
};

// {"nodes": [{id, name, here, heard_s, ready_from, offences, spent_from, round, answered}], "more":
// the id to ask for next, or null}. What no campaign says is null.
Json fleet_page(const AllowList& allowed, const campaign::Campaign* under_way,
                const FleetQuestion& question, Instant now);

std::string fleet_header();
std::string fleet_line(const Json& node);  // below it

}  // namespace freshet
