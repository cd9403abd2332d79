// Campaigns of masked logits, with real processes and real small models: nodes of two sizes answer,
// the coordinator learns the mean and no answer, and the cloud model learns of it.

#include <gtest/gtest.h>
#include <signal.h>

#include <cstring>

#include "aggregation/quantize.h"
#include "base/json.h"
#include "coordinator/campaign_store.h"
#include "coordinator/operator_client.h"
#include "crypto/key_file.h"
#include "edge_node/payload.h"
#include "model/question.h"
#include "tests/integration/campaigns.h"
#include "tests/temp_folder.h"

namespace freshet {
namespace {

constexpr FleetPlan kAsking{.nodes = 4, .rounds = 1, .masked = true, .logits = true};

std::vector<float> mean_of_payloads(const World& world, const CampaignPlan& plan) {
  QuantizedSum sum;
  for (int i = 0; i < world.plan().nodes; ++i) {
    const KeyRing keys = load_or_make_keys(world.node(i)).value();
    const Payload payload = load_payload(world.node(i) / "payload", &keys.storage).value();
    EXPECT_NE(payload.masked, *payload.unmasked);
    sum.words.resize(payload.unmasked->size());
    for (std::size_t at = 0; at < sum.words.size(); ++at) sum.words[at] += (*payload.unmasked)[at];
    ++sum.count;
  }
  return dequantize_mean(sum, plan.grid).value().values;
}

std::vector<float> published_mean(const World& world) {
  const CampaignRecord record = load_campaigns(world.coordinator()).value().at(0);
  const MappedFile file =
      MappedFile::open(world.campaign() / "adapters" / to_hex(record.adapter)).value();
  std::vector<float> values(file.view().size() / sizeof(float));
  std::memcpy(values.data(), file.view().data(), file.view().size());
  return values;
}

void finish(const World& world, std::vector<Child>& nodes, Child& coordinator) {
  wait_for_end(world, nodes, coordinator);
  EXPECT_EQ(world.campaign_phase(), "finished");
}

TEST(LogitsCampaign, GivesTheCloudModelTheMeanOfAnswersThatNobodySaw) {
  TempFolder folder;
  const World world = World::make(folder.path(), kAsking);
  Child coordinator = world.start_coordinator();
  std::vector<Child> nodes = start_nodes(world, coordinator.line());
  finish(world, nodes, coordinator);
  const CampaignPlan plan = load_campaigns(world.coordinator()).value().at(0).file.plan;
  const std::vector<float> mean = published_mean(world);
  ASSERT_EQ(mean.size(), answer_layout(plan.logits.rows, plan.logits.candidates).size);
  EXPECT_EQ(mean, mean_of_payloads(world, plan)) << "masks change nothing";
  double said = 0;  // every node was sure of every row
  for (const float value : mean) said += static_cast<double>(value);
  EXPECT_NEAR(said, plan.logits.rows, 0.01 * plan.logits.rows);
  EXPECT_TRUE(std::filesystem::exists(world.campaign() / "llm_adapter"));
  EXPECT_FALSE(std::filesystem::exists(world.campaign() / "slm_adapter"));
  for (int i = 0; i < world.plan().nodes; ++i) {
    const Json report = read_json(world.node(i) / "report.json");
    EXPECT_EQ(report["contributions"], 1) << report.dump();
  }
}

// Before, in and after the round; the question and the answers outlive it.
TEST(LogitsCampaign, OutlivesItsCoordinator) {
  TempFolder folder;
  const World world = World::make(folder.path(), kAsking);
  Child coordinator = world.start_coordinator({.die_at = 7});
  std::vector<Child> nodes = start_nodes(world, coordinator.line());
  for (const int die_at : {20, 26}) {
    ASSERT_EQ(coordinator.wait(kLongMs), 128 + SIGKILL);
    coordinator = world.start_coordinator({.die_at = die_at});
    ASSERT_NE(coordinator.line(), "");
  }
  ASSERT_EQ(coordinator.wait(kLongMs), 128 + SIGKILL);
  coordinator = world.start_coordinator();
  ASSERT_NE(coordinator.line(), "");
  finish(world, nodes, coordinator);
  EXPECT_TRUE(std::filesystem::exists(world.campaign() / "llm_adapter"));
}

TEST(LogitsCampaign, ANodeWhosePeopleDidNotApproveTheQuestionGivesNothing) {
  TempFolder folder;
  const World world = World::make(folder.path(), kAsking);
  Child coordinator = world.start_coordinator();
  Child node = world.start_node_that_approves_nothing(0, coordinator.line());
  std::string problem;
  while (problem.find("does not list") == std::string::npos) {
    ASSERT_EQ(node.wait(50), std::nullopt);
    const Json now = read_json(world.node(0) / "status.json");
    if (now.is_object()) problem = now.value("problem", "");
  }
  node.stop();
  EXPECT_EQ(node.wait(kLongMs), 0);
  EXPECT_FALSE(std::filesystem::exists(world.node(0) / "payload"));
}

// The answers are there; the cloud model waits for its own tokenizer, and then learns.
TEST(LogitsCampaign, WaitsWhereTheCloudModelHasAnotherTokenizerThanItHad) {
  TempFolder folder;
  const World world = World::make(folder.path(), kAsking);
  Child coordinator = world.start_coordinator();
  const Path tokenizer = world.cloud_model() / "tokenizer.json", away = folder / "tokenizer.json";
  std::vector<Child> nodes = start_nodes(world, coordinator.line());
  // The node that has this very model must have loaded it by then.
  while (!std::filesystem::exists(world.node(0) / "payload"))
    ASSERT_EQ(nodes[0].wait(20), std::nullopt);
  std::filesystem::rename(tokenizer, away);
  ASSERT_TRUE(write_file_durably(tokenizer, as_bytes("{}")));
  const auto progress = [&] {
    auto client = OperatorClient::connect(world.coordinator());
    if (!client || !client->send({{"do", "show"}})) return Json::object();
    const auto answer = client->next();
    return answer && *answer ? **answer : Json::object();
  };
  std::string why;
  while (why.find("tokenizer.json differs") == std::string::npos) {
    ASSERT_EQ(coordinator.wait(100), std::nullopt);
    const Json now = progress();
    ASSERT_NE(now.value("phase", ""), "failed") << now.dump();
    ASSERT_NE(now.value("phase", ""), "finished") << now.dump();
    why = now.value("why", "");
  }
  std::filesystem::rename(away, tokenizer);
  finish(world, nodes, coordinator);
  EXPECT_TRUE(std::filesystem::exists(world.campaign() / "llm_adapter"));
}

}  // namespace
}  // namespace freshet
