#include "tests/integration/campaigns.h"

#include <gtest/gtest.h>

#include "coordinator/operator_client.h"
#include "storage/audit_log.h"

namespace freshet {

Json read_json(const Path& path) {
  auto text = read_file(path, 1 << 20);
  if (!text) return Json();
  return parse_json(*text, path.string()).value_or(Json());
}

std::vector<Child> start_nodes(const World& world, const std::string& address, Nodes which) {
  std::vector<Child> nodes;
  for (int i = which.first; i < world.plan().nodes; ++i)
    nodes.push_back(world.start_node(i, address, which.baseline));
  return nodes;
}

void wait_for_end(const World& world, std::vector<Child>& nodes, Child& coordinator) {
  for (Child& node : nodes) EXPECT_EQ(node.wait(kLongMs), 0);
  auto client = OperatorClient::connect(world.coordinator());
  ASSERT_TRUE(client.has_value()) << client.error().what;
  ASSERT_TRUE(client->send({{"do", "watch"}}).has_value());
  std::string phase;
  for (auto progress = client->next(); progress && *progress; progress = client->next())
    phase = (**progress).value("phase", "");
  EXPECT_EQ(phase, "finished");
  coordinator.stop();
  EXPECT_EQ(coordinator.wait(kLongMs), 0);
}

std::string run_undisturbed(const World& world) {
  Child coordinator = world.start_coordinator();
  std::vector<Child> nodes = start_nodes(world, coordinator.line());
  wait_for_end(world, nodes, coordinator);
  return world.adapter_bytes("slm_adapter");
}

std::vector<Json> audited(const World& world, const std::string& what) {
  std::vector<Json> found;
  const auto whole = verify_audit(world.coordinator(), {}, [&](const Json& entry) {
    if (entry.value("what", "") == what) found.push_back(entry);
  });
  EXPECT_TRUE(whole) << whole.error().what;
  return found;
}

}  // namespace freshet
