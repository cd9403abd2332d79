// A masked campaign over bad lines: it ends, in the time that its bytes take.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "base/clock.h"
#include "tests/chaos/slow_link.h"
#include "tests/integration/campaigns.h"
#include "tests/temp_folder.h"

namespace freshet::chaos {
namespace {

constexpr int kNodes = 5;

struct OverLines {
  double seconds = 0, ideal_s = 0;  // ideal: what the busiest node's bytes take, both ways in turn
  std::string adapter;
};

OverLines run_over_lines(const World& world, Line line) {
  const Instant start = SystemClock().now();
  Child coordinator = world.start_coordinator();
  const std::string address = coordinator.line();
  std::vector<SlowLink> links;
  std::vector<Child> nodes;
  for (int i = 0; i < world.plan().nodes; ++i) {
    line.seed = static_cast<std::uint64_t>(i) + 1;
    links.push_back(start_slow_link(address, line));
    nodes.push_back(world.start_node(i, links.back().address));
  }
  wait_for_end(world, nodes, coordinator);
  OverLines over;
  over.seconds = static_cast<double>(SystemClock().now() - start) / 1000;
  for (int i = 0; i < world.plan().nodes; ++i) {
    const Json report = read_json(world.node(i) / "report.json");
    over.ideal_s =
        std::max(over.ideal_s, (report.value("bytes_up", 0.0) + report.value("bytes_down", 0.0)) /
                                   line.bytes_per_s);
  }
  over.adapter = world.adapter_bytes("slm_adapter");
  return over;
}

FleetPlan plan_of(int width, int layers, int rounds) {
  FleetPlan plan{.method = "fedit", .nodes = kNodes, .rounds = rounds, .masked = true};
  plan.phase_ms = 60'000;
  plan.width = width, plan.layers = layers;
  plan.targets = {"q_proj", "v_proj"};
  plan.honest_min = 2;
  return plan;
}

TEST(BadLines, AMaskedCampaignEndsWithTheSameAdapter) {
  const bool all = std::getenv("FRESHET_CHAOS") != nullptr;
  TempFolder folder;
  const World world = World::make(folder / "a", all ? plan_of(576, 24, 2) : plan_of(256, 8, 1));
  const World twin = world.copy_to(folder / "b");
  const std::string undisturbed = run_undisturbed(world);
  Line line;
  if (!all) line.bytes_per_s = 500'000, line.delay_ms = 50, line.cut_ms = 500;
  line.cut_every_ms = all ? 30'000 : 3'000;
  const OverLines over = run_over_lines(twin, line);
  EXPECT_EQ(over.adapter, undisturbed) << "the same survivors, or it would take longer";
  std::printf("a masked campaign over bad lines: %.1f s, its bytes take %.1f s\n", over.seconds,
              over.ideal_s);
}

}  // namespace
}  // namespace freshet::chaos
