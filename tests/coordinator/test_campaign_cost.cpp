#include <gtest/gtest.h>

#include "base/json.h"
#include "coordinator/campaign_cost.h"
#include "model/model_config.h"

namespace freshet {
namespace {

ModelConfig small_model() {
  const auto config = parse_model_config(
      R"({"model_type": "llama", "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2,
          "num_attention_heads": 2, "num_key_value_heads": 2, "vocab_size": 64,
          "max_position_embeddings": 64, "rms_norm_eps": 1e-5})",
      "config.json");
  EXPECT_TRUE(config) << config.error().what;
  return *config;
}

CampaignFile file_of(const std::string& more) {
  const auto file =
      parse_campaign_file("[campaign]\nname = \"cost\"\nmodel = \"m\"\n" + more, "c.toml");
  EXPECT_TRUE(file) << file.error().what;
  return *file;
}

TEST(CampaignCost, CountsWhatANodeSendsAndTrainsOn) {
  CampaignPlan plan =
      file_of(
          "mode = \"trusted-coordinator\"\nmethod = \"fedit\"\nrounds = 3\n[lora]\nrank = 4\n"
          "[training]\nsteps = 5\nbatch = 2\nwindow = 8\n")
          .plan;
  const auto cost = cost_of(plan, small_model());
  ASSERT_TRUE(cost) << cost.error().what;
  // q, k, v, o: 16 x 16; gate, up: 32 x 16; down: 16 x 32; two layers of rank 4.
  EXPECT_EQ(cost->adapter_entries, 2u * 4 * (4 * 32 + 3 * 48));
  EXPECT_EQ(cost->entries_up, static_cast<double>(cost->adapter_entries));
  EXPECT_EQ(cost->word_bits, 16);
  EXPECT_EQ(cost->bytes_up, static_cast<double>(2 * cost->adapter_entries + 48));
  EXPECT_EQ(cost->tokens, 80u);
  EXPECT_FALSE(cost->epsilon);
  plan.method = Method::kRolora;  // one factor at a time
  EXPECT_EQ(cost_of(plan, small_model())->entries_up, cost->entries_up / 2);
}

TEST(CampaignCost, NamesTheSmallestMaskedRoundAndItsPrivacy) {
  CampaignPlan plan = file_of("rounds = 20\n[cohort]\nmin = 6\n[privacy]\nepsilon = 8\n").plan;
  plan.privacy.on = true;
  const auto cost = cost_of(plan, small_model());
  ASSERT_TRUE(cost) << cost.error().what;
  EXPECT_EQ(cost->members_min, 6u);
  EXPECT_EQ(cost->survivors_min, 6u);
  ASSERT_TRUE(cost->epsilon);
  EXPECT_NEAR(*cost->epsilon, 8, 0.1);
  EXPECT_NE(to_text(*cost, plan).find("6 nodes, of whom 6 answer"), std::string::npos)
      << to_text(*cost, plan);
  EXPECT_EQ(to_json(*cost, plan)["members_min"], 6);
}

TEST(CampaignCost, RefusesWhatSubmitWouldRefuse) {
  CampaignPlan plan = file_of("").plan;
  plan.cohort_min = 2;  // masked: it hides nobody
  const auto cost = cost_of(plan, small_model());
  ASSERT_FALSE(cost);
  EXPECT_EQ(cost.error().code, Code::kBadInput);
}

TEST(CampaignDifferences, NameKeyAndBothValues) {
  const CampaignFile before = file_of("rounds = 20\n[training]\nsteps = 10\n");
  EXPECT_EQ(differences(before, before), "");
  const std::string text =
      differences(before, file_of("rounds = 20\nmethod = \"ffa\"\n[training]\nsteps = 30\n"));
  EXPECT_NE(text.find("[training] steps: 10 -> 30\n"), std::string::npos) << text;
  EXPECT_NE(text.find("[campaign] method: \"rolora\" -> \"ffa\"\n"), std::string::npos) << text;
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2) << text;
}

}  // namespace
}  // namespace freshet
