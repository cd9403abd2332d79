#pragma once
// What tests of campaigns do with a world.

#include <string>
#include <vector>

#include "base/json.h"
#include "tests/integration/fleet.h"

namespace freshet {

inline constexpr int kLongMs = 120'000;

Json read_json(const Path& path);  // null where there is none
struct Nodes {
  bool baseline = false;
  int first = 0;  // those before it are not started
};
std::vector<Child> start_nodes(const World& world, const std::string& address, Nodes nodes = {});
// Runs a world to its end; the coordinator goes once all nodes have their reports and the campaign
// is recorded as over.
void wait_for_end(const World& world, std::vector<Child>& nodes, Child& coordinator);
// What the coordinator's audit log says was decided, in order, from a chain that is whole.
std::vector<Json> audited(const World& world, const std::string& what);
std::string run_undisturbed(const World& world);  // the bytes of the adapter that it ends with

}  // namespace freshet
