// How versions come about beside a plain sum: held back by public text, taken back by an operator,
// made of groups; and what is known of them.

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <fstream>

#include "coordinator/operator_client.h"
#include "tests/integration/campaigns.h"
#include "tests/temp_folder.h"

namespace freshet {
namespace {

std::vector<Json> lines_of(const Path& file) {
  std::vector<Json> lines;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);)
    lines.push_back(parse_json(line, file.string()).value());
  return lines;
}

std::vector<Json> events_of(const World& world, const std::string& kind) {
  std::vector<Json> found;
  for (const Json& line : lines_of(world.campaign() / "events.jsonl"))
    if (line["event"] == kind) found.push_back(line);
  return found;
}

Result<Json> ask(const World& world, const Json& request) {
  TRY_ASSIGN(OperatorClient client, OperatorClient::connect(world.coordinator()));
  TRY(client.send(request));
  TRY_ASSIGN(std::optional<Json> answer, client.next());
  return answer.value_or(Json());
}

// Blocks until what `campaign watch` says is as asked.
Json wait_for(const World& world, const std::function<bool(const Json&)>& asked) {
  auto client = OperatorClient::connect(world.coordinator());
  EXPECT_TRUE(client && client->send({{"do", "watch"}}));
  for (auto line = client->next(); line && *line; line = client->next())
    if (asked(**line)) return **line;
  ADD_FAILURE() << "the campaign ended before";
  return Json();
}

// One node in four learns the opposite: nothing that it is in is published.
TEST(Versions, AreHeldBackWhilePublicTextSpeaksAgainstThem) {
  TempFolder folder;
  const World world = World::make(
      folder / "a", {.rule = "sgd", .nodes = 4, .rounds = 3, .gate = true, .poisoned = 1});
  EXPECT_NE(run_undisturbed(world), "");
  EXPECT_EQ(events_of(world, "held-back").size(), 3u);
  const std::vector<Json> versions = events_of(world, "version");
  ASSERT_EQ(versions.size(), 4u);
  for (std::size_t i = 1; i < versions.size(); ++i) {
    EXPECT_EQ(versions[i]["repeats"], i - 1);
    EXPECT_EQ(versions[i]["adapter"], versions[0]["adapter"]);
  }
}

TEST(Versions, PassTheGateUnchangedWhenEverybodyIsHonestAndTheCoordinatorDies) {
  TempFolder folder;
  const World open = World::make(folder / "a", {.nodes = 4, .rounds = 3});
  const World gated = World::make(folder / "b", {.nodes = 4, .rounds = 3, .gate = true});
  for (int i = 0; i < 4; ++i)  // the same keys, so the same randomness
    std::filesystem::copy(open.node(i), gated.node(i),
                          std::filesystem::copy_options::recursive |
                              std::filesystem::copy_options::overwrite_existing);
  for (const char* file : {"identity.key", "seal.key", "nodes.allowed"})
    if (std::filesystem::exists(open.coordinator() / file))
      std::filesystem::copy(open.coordinator() / file, gated.coordinator() / file,
                            std::filesystem::copy_options::overwrite_existing);
  const std::string undisturbed = run_undisturbed(open);
  Child coordinator = gated.start_coordinator({.die_at = 18});  // before its first version
  std::vector<Child> nodes = start_nodes(gated, coordinator.line());
  ASSERT_EQ(coordinator.wait(kLongMs), 128 + SIGKILL);
  coordinator = gated.start_coordinator();
  ASSERT_NE(coordinator.line(), "");
  wait_for_end(gated, nodes, coordinator);
  EXPECT_EQ(gated.adapter_bytes("slm_adapter"), undisturbed);
  EXPECT_TRUE(events_of(gated, "held-back").empty());
}

// Under masks the sum was opened, so nobody contributes from that base again, until an operator
// goes on from the same adapter as another version, which nodes take for one.
TEST(Versions, ThatAreHeldBackUnderMasksWaitForTheOperator) {
  TempFolder folder;
  const World world = World::make(
      folder.path(),
      {.rule = "sgd", .nodes = 6, .rounds = 2, .masked = true, .gate = true, .poisoned = 1});
  Child coordinator = world.start_coordinator();
  std::vector<Child> nodes = start_nodes(world, coordinator.line());
  const auto held_back = [](const Json& now) {
    return now["phase"] == "gathering" &&
           now.value("why", "").find("held back") != std::string::npos;
  };
  EXPECT_EQ(wait_for(world, held_back)["version"], 0);
  const auto unknown = ask(world, {{"do", "rollback"}, {"version", 7}});
  ASSERT_FALSE(unknown);
  EXPECT_NE(unknown.error().what.find("versions 0 to 0 are"), std::string::npos)
      << unknown.error().what;
  const auto back = ask(world, {{"do", "rollback"}, {"version", 0}});
  ASSERT_TRUE(back) << back.error().what;
  EXPECT_EQ((*back)["version"], 1);
  wait_for_end(world, nodes, coordinator);  // the other factor's turn: there the clip is enough
  const std::vector<Json> versions = events_of(world, "version");
  ASSERT_EQ(versions.size(), 3u);
  EXPECT_EQ(versions[1]["repeats"], 0);
  EXPECT_NE(versions[1]["adapter"], versions[0]["adapter"]);
  EXPECT_EQ(versions[2]["nodes"], 6) << "who was in the sum that was held back, too";
  EXPECT_EQ(events_of(world, "held-back").size(), 1u);
  EXPECT_EQ(lines_of(world.campaign() / "receipts.jsonl").size(), 1u);
}

TEST(Versions, OfTrustedCampaignsAreTakenBackWhileTheyRun) {
  TempFolder folder;
  const World world = World::make(folder.path(), {.nodes = 3, .rounds = 4});
  Child coordinator = world.start_coordinator();
  std::vector<Child> nodes = start_nodes(world, coordinator.line());
  wait_for(world, [](const Json& now) { return now["version"] == 1; });
  const auto back = ask(world, {{"do", "rollback"}, {"version", 1}});
  ASSERT_TRUE(back) << back.error().what;
  wait_for_end(world, nodes, coordinator);
  const std::vector<Json> versions = events_of(world, "version");
  ASSERT_EQ(versions.size(), 5u);
  int repeated = 0;
  for (const Json& version : versions) {
    if (version["repeats"].is_null()) continue;
    ++repeated;
    EXPECT_EQ(version["repeats"], 1);
    EXPECT_EQ(version["adapter"], versions[1]["adapter"]);
  }
  EXPECT_EQ(repeated, 1);
  EXPECT_EQ(audited(world, "rolled-back").size(), 1u);
  const std::vector<Json> asked = audited(world, "asked");
  ASSERT_EQ(asked.size(), 1u);
  EXPECT_EQ(asked[0]["about"]["do"], "\"rollback\"");
  EXPECT_EQ(asked[0]["about"]["user"], ::getuid());
  const Json report = read_json(world.campaign() / "report.json");
  EXPECT_EQ(report["versions"].size(), 5u) << report.dump();
}

// A median over five sums of three nodes each does not follow the one who lies; their mean does.
TEST(Versions, OfGroupsStandANodeThatLies) {
  TempFolder folder;
  const World world = World::make(folder.path(), {.rule = "sgd",
                                                  .nodes = 15,
                                                  .rounds = 2,
                                                  .masked = true,
                                                  .phase_ms = 20'000,
                                                  .poisoned = 1,
                                                  .groups = 5});
  EXPECT_NE(run_undisturbed(world), "");
  const std::vector<Json> groups = events_of(world, "group");
  ASSERT_EQ(groups.size(), 10u);
  for (const Json& group : groups) EXPECT_EQ(group["nodes"], 3);
  const std::vector<Json> versions = events_of(world, "version");
  ASSERT_EQ(versions.size(), 3u);
  EXPECT_EQ(versions[2]["nodes"], 15);
  EXPECT_EQ(lines_of(world.campaign() / "receipts.jsonl").size(), 10u);
  for (int i = 1; i < 15; ++i) {
    const Json report = read_json(world.node(i) / "report.json");
    EXPECT_EQ(report["contributions"], 2) << report.dump();
    EXPECT_LT(report["heldout_bpb_after"], report["heldout_bpb_before"]) << report.dump();
  }
}

// What the coordinator knows of held-out text is the sum over all nodes, and it is exact.
TEST(Versions, CarryTheNodesHeldOutTotals) {
  TempFolder folder;
  const World world =
      World::make(folder.path(), {.nodes = 6, .rounds = 2, .masked = true, .evaluation = true});
  EXPECT_NE(run_undisturbed(world), "");
  const std::vector<Json> versions = events_of(world, "version");
  ASSERT_EQ(versions.size(), 3u);
  for (std::uint64_t base = 0; base < 2; ++base) {
    double expected = 0;
    for (int i = 0; i < 6; ++i)
      for (const Json& metric : lines_of(world.node(i) / "metrics.jsonl"))
        if (metric["version"] == base) expected += metric["heldout_bpb"].get<double>() / 6;
    EXPECT_NEAR(versions[base + 1]["heldout_bpb_before"].get<double>(), expected, 1e-5);
    EXPECT_EQ(versions[base + 1]["heldout_bytes"], 6000);
  }
}

}  // namespace
}  // namespace freshet
