#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <fstream>
#include <sstream>

#include "base/json.h"
#include "coordinator/operator_client.h"
#include "tests/integration/campaigns.h"

namespace freshet {
namespace {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "freshet-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  const Path& path() const { return path_; }

 private:
  Path path_;
};

TEST(Campaign, OfThreeRoundsLeavesEveryNodeBetterOffThanBefore) {
  TemporaryFolder folder;
  const World world = World::make(folder.path(), {});
  Child coordinator = world.start_coordinator();
  std::vector<Child> nodes = start_nodes(world, coordinator.line(), {.baseline = true});
  wait_for_end(world, nodes, coordinator);
  EXPECT_EQ(world.campaign_phase(), "finished");
  for (int i = 0; i < world.plan().nodes; ++i) {
    const Json report = read_json(world.node(i) / "report.json");
    SCOPED_TRACE(report.dump());
    ASSERT_TRUE(report["heldout_bpb_after"].is_number());
    EXPECT_LT(report["heldout_bpb_after"], report["heldout_bpb_before"]);
    EXPECT_LT(report["heldout_bpb_local_only"], report["heldout_bpb_before"]);
    EXPECT_EQ(report["rounds"], 3);
    EXPECT_EQ(report["contributions"], 3);
    EXPECT_GT(report["bytes_up"], 1000);
    std::ifstream metrics(world.node(i) / "metrics.jsonl");
    std::string line;
    for (int version = 0; version <= 3; ++version) {
      ASSERT_TRUE(std::getline(metrics, line)) << "version " << version;
      EXPECT_EQ(Json::parse(line)["version"], version);
    }
    EXPECT_EQ(read_json(world.node(i) / "status.json")["activity"], "finished");
  }
}

TEST(Campaign, KeepsAPlainCopyOfWhatANodeSentButNoneOfItsText) {
  TemporaryFolder folder;
  const World world = World::make(folder.path(), {.nodes = 2, .rounds = 1});
  run_undisturbed(world);
  int frames = 0, updates = 0;
  for (const auto& entry : std::filesystem::directory_iterator(world.node(0) / "sent")) {
    frames += entry.path().extension() == ".frame" ? 1 : 0;
    updates += entry.path().extension() == ".update" ? 1 : 0;
    const std::string bytes = read_file(entry.path(), 1 << 20).value();
    EXPECT_EQ(bytes.find("private words"), std::string::npos) << entry.path();
  }
  EXPECT_GE(frames, 3);  // hello, ready, upload
  EXPECT_EQ(updates, 1);
}

TEST(Campaign, KilledAgainAndAgainPublishesTheSameAdapter) {
  TemporaryFolder folder;
  const World world = World::make(folder.path() / "a", {});
  const World twin = world.copy_to(folder.path() / "b");
  const std::string undisturbed = run_undisturbed(world);

  // Each life ends before or after another of its journal entries: a joining node, a ready one, an
  // opened round, an upload, a sum.
  Child coordinator = twin.start_coordinator({.die_at = 4});
  std::vector<Child> nodes = start_nodes(twin, coordinator.line());
  for (int die_at : {7, 10, 12, 15}) {
    ASSERT_EQ(coordinator.wait(kLongMs), 128 + SIGKILL)
        << "before the life that ends at " << die_at;
    coordinator = twin.start_coordinator({.die_at = die_at});
    ASSERT_NE(coordinator.line(), "");
  }
  ASSERT_EQ(coordinator.wait(kLongMs), 128 + SIGKILL);
  coordinator = twin.start_coordinator();
  ASSERT_NE(coordinator.line(), "");
  wait_for_end(twin, nodes, coordinator);
  EXPECT_EQ(twin.adapter_bytes("slm_adapter"), undisturbed);
  const std::vector<Json> published = audited(twin, "version-published");
  ASSERT_EQ(published.size(), audited(world, "version-published").size());
  for (std::size_t i = 0; i < published.size(); ++i)
    EXPECT_EQ(published[i]["about"]["version"], i + 1) << "once each, whenever a process ended";
  EXPECT_EQ(audited(twin, "started").size(), 6u);
}

TEST(Campaign, GoesOnWithANodeThatWasKilledAndStartedAgain) {
  TemporaryFolder folder;
  const World world = World::make(folder.path() / "a", {.nodes = 2});
  const World twin = world.copy_to(folder.path() / "b");
  const std::string undisturbed = run_undisturbed(world);
  Child coordinator = twin.start_coordinator();
  const std::string address = coordinator.line();
  std::vector<Child> nodes;
  {
    Child early =
        twin.start_node(0, address);  // alone: no round can open, it waits with its contribution
    for (const Path kept = twin.node(0) / "contribution" / "contribution.sealed";
         !std::filesystem::exists(kept);)
      ASSERT_EQ(early.wait(20), std::nullopt);
    early.kill();
    EXPECT_EQ(early.wait(kLongMs), 128 + SIGKILL);
  }
  for (int i = 0; i < 2; ++i) nodes.push_back(twin.start_node(i, address));
  wait_for_end(twin, nodes, coordinator);
  EXPECT_EQ(twin.adapter_bytes("slm_adapter"), undisturbed);
  EXPECT_EQ(read_json(twin.node(0) / "report.json")["contributions"], 3);
}

TEST(Campaign, StartsATrainerAgainThatWasKilled) {
  TemporaryFolder folder;
  const World world = World::make(folder.path(), {.nodes = 2, .rounds = 1});
  Child coordinator = world.start_coordinator();
  const std::string address = coordinator.line();
  std::vector<Child> nodes;
  nodes.push_back(world.start_node(0, address));
  while (!nodes[0].kill_child()) ASSERT_EQ(nodes[0].wait(1), std::nullopt);
  nodes.push_back(world.start_node(1, address));
  wait_for_end(world, nodes, coordinator);
  EXPECT_EQ(read_json(world.node(0) / "report.json")["contributions"], 1);
}

TEST(Campaign, EndsANodeWhosePrivateTextIsBinary) {
  TemporaryFolder folder;
  const World world = World::make(folder.path(), {.nodes = 2});
  ASSERT_TRUE(write_file_durably(world.text(0) / "own.txt", as_bytes(std::string_view("a\0b", 3))));
  Child coordinator = world.start_coordinator();
  Child node = world.start_node(0, coordinator.line());
  EXPECT_EQ(node.wait(kLongMs), 3);
}

TEST(Campaign, AdaptsTheCloudModelAndDoesItAgainAfterAKill) {
  TemporaryFolder folder;
  const World world = World::make(folder.path(), {.nodes = 2, .rounds = 1, .adapt = true});
  Child coordinator = world.start_coordinator();
  std::vector<Child> nodes = start_nodes(world, coordinator.line());
  {
    auto client = OperatorClient::connect(world.coordinator());
    ASSERT_TRUE(client.has_value()) << client.error().what;
    ASSERT_TRUE(client->send({{"do", "watch"}}).has_value());
    std::string phase;
    while (phase != "adapting" && phase != "finished") {
      auto progress = client->next();
      ASSERT_TRUE(progress && *progress);
      phase = (**progress)["phase"];
    }
  }
  coordinator.kill();
  ASSERT_EQ(coordinator.wait(kLongMs), 128 + SIGKILL);
  coordinator = world.start_coordinator();
  ASSERT_NE(coordinator.line(), "");
  wait_for_end(world, nodes, coordinator);
  EXPECT_NE(world.adapter_bytes("llm_adapter"), world.adapter_bytes("llm_adapter_public_only"));
}

TEST(Campaign, StoppedByItsOperatorEndsOnTheNodesToo) {
  TemporaryFolder folder;
  const World world = World::make(folder.path(), {.nodes = 2});
  Child coordinator = world.start_coordinator();
  const std::string address = coordinator.line();
  Child node = world.start_node(0, address);  // the other never comes
  for (const Path kept = world.node(0) / "contribution" / "contribution.sealed";
       !std::filesystem::exists(kept);)
    ASSERT_EQ(node.wait(20), std::nullopt);
  auto client = OperatorClient::connect(world.coordinator());
  ASSERT_TRUE(client.has_value()) << client.error().what;
  ASSERT_TRUE(client->send({{"do", "stop"}}).has_value());
  auto answer = client->next();
  ASSERT_TRUE(answer && *answer);
  EXPECT_EQ((**answer)["phase"], "stopped");
  EXPECT_EQ(node.wait(kLongMs), 6);  // kExpired: it ended before its last round
  EXPECT_EQ(world.campaign_phase(), "stopped");
  EXPECT_EQ(read_json(world.node(0) / "report.json")["rounds"], 0);
}

TEST(Campaign, WaitsForRoomOnAFullDiskAndLosesNothing) {
  TemporaryFolder folder;
  const World world = World::make(folder.path() / "a", {.nodes = 2});
  const World twin = world.copy_to(folder.path() / "b");
  const std::string undisturbed = run_undisturbed(world);
  Child coordinator = twin.start_coordinator({.die_at = {}, .full_from = 7, .full_for = 2});
  std::vector<Child> nodes = start_nodes(twin, coordinator.line());
  wait_for_end(twin, nodes, coordinator);
  EXPECT_EQ(twin.adapter_bytes("slm_adapter"), undisturbed);
}

// Its round is an hour long: nobody waits for the node that lies.
TEST(Campaign, LeavesOutANodeThatUploadsRandomBytes) {
  TemporaryFolder folder;
  const World world = World::make(folder.path(), {.nodes = 3, .rounds = 2, .survivors_min = 2});
  Child coordinator = world.start_coordinator();
  const std::string address = coordinator.line();
  const Child liar = world.start_liar(2, address);
  std::vector<Child> nodes;
  for (int i = 0; i < 2; ++i) nodes.push_back(world.start_node(i, address));
  wait_for_end(world, nodes, coordinator);
  for (int i = 0; i < 2; ++i) {
    const Json report = read_json(world.node(i) / "report.json");
    EXPECT_EQ(report["contributions"], 2);
    EXPECT_LT(report["heldout_bpb_after"], report["heldout_bpb_before"]);
  }
}

}  // namespace
}  // namespace freshet
