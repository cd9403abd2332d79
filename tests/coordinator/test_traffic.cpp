#include <gtest/gtest.h>

#include "base/json.h"
#include "coordinator/summing.h"
#include "coordinator/traffic.h"

namespace freshet {
namespace {

ModelConfig small_config(int hidden) {
  ModelConfig config;
  config.vocab_size = 64;
  config.hidden_size = hidden;
  config.intermediate_size = 2 * hidden;
  config.layers = 2;
  config.heads = config.kv_heads = 2;
  config.head_dim = hidden / 2;
  config.max_positions = 64;
  return config;
}

CampaignFile masked_file() {
  CampaignFile file;
  file.plan.name = "traffic";
  file.plan.mode = Mode::kMasked;
  file.plan.rounds = 3;
  file.plan.cohort_min = 8;
  file.plan.cohort_max = 8;
  return file;
}

const WayTraffic& way_of(const Traffic& traffic, const std::string& name) {
  return *std::find_if(traffic.ways.begin(), traffic.ways.end(),
                       [&](const WayTraffic& way) { return way.way == name; });
}

// By hand: 16 bits and 3 for eight nodes, a weight behind the entries, a signature before them.
TEST(Traffic, AddsUpTheVectorsOfEveryRound) {
  const CampaignFile file = masked_file();
  const ModelConfig slm = small_config(16), llm = small_config(32);
  const auto traffic = traffic_of(file, slm, &llm);
  ASSERT_TRUE(traffic) << traffic.error().what;
  const Layout whole = adapter_layout(slm, {8, 16}).value();
  std::uint64_t up = 0;
  for (const std::uint64_t version : {0, 1, 2}) {
    const std::size_t words = round_shape(file.plan, whole, {version}).phase.size + 1;
    up += 64 + (words * 19 + 7) / 8;
  }
  EXPECT_EQ(way_of(*traffic, "proxy").up, up);
  EXPECT_EQ(way_of(*traffic, "proxy").down, 3 * whole.size * 4);
  EXPECT_GT(way_of(*traffic, "direct").up, up);
  EXPECT_EQ(to_json(*traffic)["ways"]["distill"]["bytes_up"], up);
}

TEST(Traffic, BreaksEvenWhereItSays) {
  CampaignFile file = masked_file();
  const ModelConfig slm = small_config(64);
  const auto before = traffic_of(file, slm, nullptr);
  ASSERT_TRUE(before);
  ASSERT_GT(before->break_even, 100u);
  file.plan.logits.on = true;
  file.plan.logits.candidates = 16;
  const auto up_of = [&](std::uint64_t tokens) {
    file.plan.logits.rows = static_cast<std::uint32_t>(tokens);
    CampaignFile asking = file;
    fit_to_answers(asking.plan);
    return way_of(traffic_of(asking, slm, nullptr).value(), "logits").up;
  };
  // The adapters of a file that asks are those of as many rounds as a file has that says nothing.
  file.plan.rounds = CampaignPlan{}.rounds;
  CampaignFile sending = file;
  sending.plan.logits.on = false;
  const auto adapters = traffic_of(sending, slm, nullptr);
  ASSERT_TRUE(adapters);
  const std::uint64_t up = way_of(*adapters, "distill").up;
  EXPECT_LE(up_of(adapters->break_even - 4), up);
  EXPECT_GT(up_of(adapters->break_even + 4), up);
  EXPECT_NE(to_text(*adapters).find("asking fewer than"), std::string::npos);
}

}  // namespace
}  // namespace freshet
