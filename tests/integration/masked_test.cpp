#include <gtest/gtest.h>
#include <signal.h>

#include "base/json.h"
#include "coordinator/campaign_store.h"
#include "coordinator/operator_client.h"
#include "crypto/key_file.h"
#include "edge_node/payload.h"
#include "membership/ledger_file.h"
#include "tests/integration/campaigns.h"
#include "tests/temp_folder.h"

namespace freshet {
namespace {

Payload payload_of(const World& world, int node) {
  const KeyRing keys = load_or_make_keys(world.node(node)).value();
  return load_payload(world.node(node) / "payload", &keys.storage).value();
}

// The sum is exact: masks change nothing but who can read what.
TEST(MaskedCampaign, EndsWithTheVeryAdapterOfATrustedOne) {
  TempFolder folder;
  const World masked = World::make(folder / "a", {.nodes = 8, .rounds = 3, .masked = true});
  const World trusted = masked.copy_to(folder / "b").with_trust();
  EXPECT_EQ(run_undisturbed(masked), run_undisturbed(trusted));
  for (int i = 0; i < masked.plan().nodes; ++i) {
    SCOPED_TRACE(i);
    const Json report = read_json(masked.node(i) / "report.json");
    EXPECT_EQ(report["contributions"], 3) << report.dump();
    const Payload payload = payload_of(masked, i);
    EXPECT_EQ(payload.facts.round, RoundId{3});
    EXPECT_FALSE(payload.unmasked);
    EXPECT_GT(uniformity_of(payload.masked, payload.facts.bits).p, 1e-9);
    EXPECT_FALSE(std::filesystem::exists(masked.node(i) / "sent" / "round-1.update"))
        << "nothing was sealed to the coordinator";
  }
}

// What a node's death does in each phase: the round goes on without it, or is given up and done
// again; the campaign ends as it should, with the node back in it.
TEST(MaskedCampaign, GoesOnWhenANodeIsKilledInAnyPhase) {
  for (const char* phase : {"advertised", "shared", "masked", "agreed", "revealed"}) {
    SCOPED_TRACE(phase);
    TempFolder folder;
    const World world =
        World::make(folder.path(), {.nodes = 8, .rounds = 2, .masked = true, .survivors_min = 6});
    Child coordinator = world.start_coordinator();
    const std::string address = coordinator.line();
    Child mortal = world.start_mortal_node(0, address, phase);
    std::vector<Child> nodes = start_nodes(world, address, {.first = 1});
    ASSERT_EQ(mortal.wait(kLongMs), 128 + SIGKILL);
    nodes.push_back(world.start_node(0, address));
    wait_for_end(world, nodes, coordinator);
    EXPECT_EQ(world.campaign_phase(), "finished");
  }
}

// The coordinator dies in one phase after another. Before shares are dealt the round is done again;
// later it goes on with the lists that it named before. Either way every vector is in one sum.
TEST(MaskedCampaign, WhoseCoordinatorIsKilledAgainAndAgainPublishesTheSameAdapter) {
  TempFolder folder;
  const World world =
      World::make(folder / "a", {.nodes = 8, .rounds = 3, .masked = true, .phase_ms = 30'000});
  const World twin = world.copy_to(folder / "b");
  const std::string undisturbed = run_undisturbed(world);
  Child coordinator = twin.start_coordinator({.die_at = 44});
  std::vector<Child> nodes = start_nodes(twin, coordinator.line());
  for (int die_at : {31, 53, 61, 39, 25}) {
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
}

// Twice, in the middle of a phase: what was not written down never happened, and is said again.
TEST(MaskedCampaign, WaitsForRoomOnAFullDiskAndLosesNothing) {
  TempFolder folder;
  const World world = World::make(folder / "a", {.nodes = 8, .rounds = 2, .masked = true});
  const World twin = world.copy_to(folder / "b");
  const std::string undisturbed = run_undisturbed(world);
  Child coordinator = twin.start_coordinator({.die_at = {}, .full_from = 22, .full_for = 3});
  std::vector<Child> nodes = start_nodes(twin, coordinator.line());
  wait_for_end(twin, nodes, coordinator);
  EXPECT_EQ(twin.adapter_bytes("slm_adapter"), undisturbed);
}

// I7: what a receipt says was spent is in the ledger, which is charged before a sum is opened.
TEST(MaskedCampaign, ChargesItsLedgerForEveryRoundThatItOpens) {
  TempFolder folder;
  const World world = World::make(
      folder.path(), {.nodes = 8, .rounds = 2, .masked = true, .noise_multiplier = 0.5});
  EXPECT_NE(run_undisturbed(world), "");
  const CampaignRecord record = load_campaigns(world.coordinator()).value().at(0);
  const Path campaign = campaign_folder(world.coordinator(), record.id);
  const PrivacyPlan& privacy = record.file.plan.privacy;
  const auto ledger = LedgerFile::open(campaign / "privacy.ledger", Ledger::Owner::kCampaign,
                                       Budget{privacy.epsilon, privacy.delta});
  ASSERT_TRUE(ledger) << ledger.error().what;
  ASSERT_EQ(ledger->ledger().charges().size(), 2u);
  EXPECT_EQ(ledger->ledger().charges()[1].survivors, 8u);
  std::string receipts = read_file(campaign / "receipts.jsonl", 1 << 16).value();
  std::vector<double> spent;
  for (std::size_t end; (end = receipts.find('\n')) != std::string::npos;
       receipts.erase(0, end + 1))
    spent.push_back(parse_json(receipts.substr(0, end), "receipts").value()["epsilon"]);
  ASSERT_EQ(spent.size(), 2u);
  EXPECT_LT(0, spent[0]);
  EXPECT_LT(spent[0], spent[1]);
  EXPECT_DOUBLE_EQ(spent[1], ledger->ledger().spent().epsilon);
}

// A node of another model, and one whose policy wants more, give nothing; and say why.
TEST(MaskedCampaign, ANodeWhosePolicyWantsMoreGivesNothing) {
  TempFolder folder;
  const World world =
      World::make(folder.path(), {.nodes = 8, .rounds = 1, .masked = true, .survivors_min = 6});
  Child coordinator = world.start_coordinator();
  const std::string address = coordinator.line();
  Child strict = world.start_strict_node(0, address);
  const Path status = world.node(0) / "status.json";
  std::string problem;
  while (problem.find("honest survivors") == std::string::npos) {
    ASSERT_EQ(strict.wait(50), std::nullopt);
    const Json now = read_json(status);
    if (now.is_object()) problem = now.value("problem", "");
  }
  strict.stop();
  EXPECT_EQ(strict.wait(kLongMs), 0);
  EXPECT_FALSE(std::filesystem::exists(world.node(0) / "payload"));
}

}  // namespace
}  // namespace freshet
