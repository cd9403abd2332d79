#include "protocol/plan.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <set>

#include "tests/protocol/samples.h"

namespace freshet {
namespace {

std::string error_after(const std::function<void(CampaignPlan&)>& change) {
  CampaignPlan plan = samples::plan();
  change(plan);
  const auto valid = validate(plan);
  return valid ? "valid" : valid.error().what;
}

TEST(Plan, DefaultsAreValidOnceThereIsAName) {
  CampaignPlan plan;
  EXPECT_FALSE(validate(plan));
  plan.name = "n";
  EXPECT_TRUE(validate(plan));
  EXPECT_TRUE(validate(samples::plan()));
}

TEST(Plan, OfLogitsRefusesWhatDoesNotGoWithAnswers) {
  EXPECT_TRUE(validate(samples::logits_plan()));
  const struct {
    std::function<void(CampaignPlan&)> change;
    const char* says;
  } rows[] = {
      {[](auto& p) { p.mode = Mode::kTrustedCoordinator; }, "needs mode = \"masked\""},
      {[](auto& p) { p.rounds = 2; }, "rounds (of a campaign of logits) is 2"},
      {[](auto& p) { p.grid.weight_max = 2; }, "weight_max (of a campaign of logits) is 2"},
      {[](auto& p) { p.grid.range = 0.5f; }, "range (of a campaign of logits) is 0.5"},
      {[](auto& p) { p.evaluation = true; }, "[evaluation] totals"},
      {[](auto& p) { p.logits.rows = 0; }, "[logits] rows is 0"},
      {[](auto& p) { p.logits.candidates = 1025; }, "[logits] candidates is 1025"},
      {[](auto& p) { p.logits.rows = 200'000'000; }, "[logits] rows"},
      {[](auto& p) { p.logits.temperature = 0; }, "[logits] temperature"},
      {[](auto& p) { p.logits.full = std::nanf(""); }, "confidence_full"},
  };
  for (const auto& row : rows) {
    CampaignPlan plan = samples::logits_plan();
    row.change(plan);
    const auto valid = validate(plan);
    ASSERT_FALSE(valid) << row.says;
    EXPECT_NE(valid.error().what.find(row.says), std::string::npos) << valid.error().what;
  }
}

TEST(Plan, DigestTellsEveryPartOfAQuestionApart) {
  std::set<Digest> digests{plan_digest(samples::logits_plan())};
  const std::function<void(LogitsPlan&)> changes[] = {
      [](auto& l) { l.on = false; },       [](auto& l) { l.question[0] ^= 1; },
      [](auto& l) { l.rows += 1; },        [](auto& l) { l.candidates += 1; },
      [](auto& l) { l.temperature += 1; }, [](auto& l) { l.slope += 1; },
      [](auto& l) { l.full += 1; }};
  for (const auto& change : changes) {
    CampaignPlan plan = samples::logits_plan();
    change(plan.logits);
    EXPECT_TRUE(digests.insert(plan_digest(plan)).second);
  }
}

TEST(Plan, NamesTheFieldThatIsOutOfBounds) {
  const float nan = std::nanf("");
  const struct {
    std::function<void(CampaignPlan&)> change;
    const char* error;
  } rows[] = {
      {[](auto& p) { p.name = ""; },
       "[campaign] name has 0 bytes: it must have 1 to 64, none of them a control character"},
      {[](auto& p) { p.name = "a\nb"; },
       "[campaign] name has 3 bytes: it must have 1 to 64, none of them a control character"},
      {[](auto& p) { p.rounds = 0; }, "[campaign] rounds is 0: it must be in [1, 100000]"},
      {[](auto& p) { p.rule = Sgd{0}; }, "[server] lr is 0: it must be a finite number above 0"},
      {[&](auto& p) {
         p.rule = Momentum{1, nan};
       },
       "[server] beta is nan: it must be in [0, 1)"},
      {[](auto& p) {
         p.rule = Adam{1, 1};
       },
       "[server] beta1 is 1: it must be in [0, 1)"},
      {[](auto& p) {
         p.rule = Yogi{1, 0.9f, -1};
       },
       "[server] beta2 is -1: it must be in [0, 1)"},
      {[](auto& p) {
         p.rule = Yogi{1, 0.9f, 0.9f, 0};
       },
       "[server] tau is 0: it must be a finite number above 0"},
      {[](auto& p) { p.cohort_max = 10001; }, "[cohort] max is 10001: it must be in [1, 10000]"},
      {[](auto& p) { p.cohort_min = 10; }, "[cohort] min is 10: it must be in [1, 9]"},
      {[](auto& p) { p.survivors_min = 5; }, "[cohort] survivors_min is 5: it must be in [1, 4]"},
      {[](auto& p) { p.ready_ms = -1; }, "[cohort] ready_ms is -1: it must be in [0, 604800000]"},
      {[](auto& p) { p.round_ms = 0; }, "[cohort] round_ms is 0: it must be in [1, 86400000]"},
      {[](auto& p) { p.lora.rank = 1025; }, "[lora] rank is 1025: it must be in [1, 1024]"},
      {[](auto& p) { p.lora.alpha = INFINITY; },
       "[lora] alpha is inf: it must be a finite number above 0"},
      {[](auto& p) { p.lora.targets = {"lm_head"}; },
       "[lora] targets has \"lm_head\": use q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, "
       "down_proj"},
      {[](auto& p) {
         p.lora.targets = {"q_proj", "q_proj"};
       },
       "[lora] targets has \"q_proj\" twice"},
      {[](auto& p) { p.lora.seed = 1ull << 63; },
       "[lora] seed is 9223372036854775808: it must be in [0, 9223372036854775807]"},
      {[](auto& p) { p.training.steps = 0; }, "[training] steps is 0: it must be in [1, 100000]"},
      {[](auto& p) { p.training.batch = 1025; },
       "[training] batch is 1025: it must be in [1, 1024]"},
      {[](auto& p) { p.training.window = 1; }, "[training] window is 1: it must be in [2, 32768]"},
      {[&](auto& p) { p.training.lr = nan; },
       "[training] lr is nan: it must be a finite number above 0"},
      {[](auto& p) { p.clip = -1; }, "[update] clip is -1: it must be a finite number above 0"},
      {[](auto& p) { p.grid.range = 0; },
       "[update] range is 0: it must be a finite number above 0"},
      {[](auto& p) { p.grid.bits = 25; }, "[update] bits is 25: it must be in [2, 24]"},
      {[](auto& p) { p.grid.weight_max = 0; },
       "[update] weight_max is 0: it must be in [1, 65535]"},
      {[](auto& p) { p.grid.bits = 16, p.grid.weight_max = 65535; },
       "[update] 9 updates of 16 bits and weights up to 65535 do not fit into sums of 32 bits: "
       "lower bits, weight_max or "
       "the cohort"},
  };
  for (const auto& row : rows) EXPECT_EQ(error_after(row.change), row.error);
}

// Section 1.2 of Bonawitz et al.'s threshold rule, and the smallest cohorts that it allows.
TEST(Plan, MaskedCohortsAreLargeEnoughForTheirHonestMembers) {
  EXPECT_EQ(quorum_of(100, {1, 3}), 67u);
  EXPECT_EQ(quorum_of(6, {1, 3}), 5u);
  EXPECT_EQ(quorum_of(10, {1, 2}), 8u);  // more may be corrupt: more must sign
  for (std::uint32_t n = 1; n <= 1024; ++n)
    EXPECT_GT(2 * quorum_of(n, {1, 3}), n + part_of(n, {1, 3})) << n;
  CampaignPlan plan = samples::plan();
  plan.mode = Mode::kMasked;
  plan.grid.weight_max = 1;
  EXPECT_EQ(error_after([](auto& p) { p.mode = Mode::kMasked; }),
            "[cohort] min is 4: with 4 honest survivors, and 1/3 of the nodes that may be corrupt, "
            "a masked round of 4 would need 5; raise it, or lower [masking] honest_min");
  plan.cohort_min = 5;
  EXPECT_TRUE(validate(plan));
  EXPECT_EQ(survivors_needed(plan, 5), 5u);
  EXPECT_EQ(survivors_needed(plan, 8), 6u);
  EXPECT_EQ(survivors_needed(plan, 30), 21u);
  plan.cohort_max = 1025;
  EXPECT_FALSE(validate(plan));
}

TEST(Plan, PrivacyNeedsMasksAndEqualWeights) {
  EXPECT_EQ(error_after([](auto& p) { p.evaluation = true; }).substr(0, 43),
            "[evaluation] totals needs mode = \"masked\": ");
  EXPECT_EQ(error_after([](auto& p) { p.privacy.on = true; }).substr(0, 36),
            "[privacy] needs mode = \"masked\": the");
  const auto masked = [](auto& p) {
    p.mode = Mode::kMasked;
    p.cohort_min = 5;
    p.privacy.on = true;
  };
  EXPECT_EQ(error_after(masked).substr(0, 36), "[privacy] needs [update] weight_max ");
  EXPECT_EQ(error_after([&](auto& p) { masked(p), p.grid.weight_max = 1; }), "valid");
  EXPECT_EQ(
      error_after([&](auto& p) { masked(p), p.grid.weight_max = 1, p.privacy.honest_min = 5; }),
      "[privacy] honest_min is 5: the noise would be short where a round is opened with the 4 of "
      "[masking] honest_min; make that as large");
}

TEST(Plan, NoiseForExamplesNeedsEqualWeightsAndWholeFactors) {
  const auto noisy = [](auto& p) { p.examples.noise_multiplier = 1, p.grid.weight_max = 1; };
  EXPECT_EQ(error_after(noisy), "valid");
  EXPECT_EQ(error_after([&](auto& p) { noisy(p), p.examples.noise_multiplier = 65; }),
            "[examples] noise_multiplier is 65: 0, or up to 64");
  EXPECT_EQ(error_after([&](auto& p) { noisy(p), p.examples.noise_multiplier = -1; }),
            "[examples] noise_multiplier is -1: 0, or up to 64");
  EXPECT_EQ(error_after([&](auto& p) { noisy(p), p.examples.clip = 0; }),
            "[examples] clip is 0: it must be a finite number above 0");
  EXPECT_EQ(error_after([&](auto& p) { noisy(p), p.grid.weight_max = 2; }).substr(0, 38),
            "[examples] needs [update] weight_max =");
  EXPECT_EQ(error_after([&](auto& p) { noisy(p), p.method = Method::kFedsb; }).substr(0, 45),
            "[examples] cannot go with method = \"fed-sb\": ");
}

TEST(Plan, EveryFieldHasAPartInTheDigest) {
  const std::function<void(CampaignPlan&)> changes[] = {
      [](auto&) {},
      [](auto& p) { p.name += "x"; },
      [](auto& p) { p.method = Method::kFedit; },
      [](auto& p) {
        p.rule = Adam{0.02f, 0.8f, 0.95f, 0.01f};
      },
      [](auto& p) {
        p.rule = Yogi{0.03f, 0.8f, 0.95f, 0.01f};
      },
      [](auto& p) {
        p.rule = Yogi{0.02f, 0.7f, 0.95f, 0.01f};
      },
      [](auto& p) {
        p.rule = Yogi{0.02f, 0.8f, 0.96f, 0.01f};
      },
      [](auto& p) {
        p.rule = Yogi{0.02f, 0.8f, 0.95f, 0.02f};
      },
      [](auto& p) {
        p.rule = Momentum{0.02f, 0.8f};
      },
      [](auto& p) {
        p.rule = Momentum{0.02f, 0.9f};
      },
      [](auto& p) { p.rule = Sgd{0.02f}; },
      [](auto& p) { ++p.rounds; },
      [](auto& p) { ++p.cohort_min; },
      [](auto& p) { ++p.cohort_max; },
      [](auto& p) { ++p.survivors_min; },
      [](auto& p) { ++p.ready_ms; },
      [](auto& p) { ++p.round_ms; },
      [](auto& p) { ++p.lora.rank; },
      [](auto& p) { ++p.lora.alpha; },
      [](auto& p) { p.lora.targets = {"q_proj"}; },
      [](auto& p) { ++p.lora.seed; },
      [](auto& p) { ++p.training.steps; },
      [](auto& p) { ++p.training.batch; },
      [](auto& p) { ++p.training.window; },
      [](auto& p) { ++p.training.lr; },
      [](auto& p) { ++p.training.seed; },
      [](auto& p) { ++p.clip; },
      [](auto& p) { ++p.grid.range; },
      [](auto& p) { ++p.grid.bits; },
      [](auto& p) { ++p.grid.weight_max; },
      [](auto& p) { ++p.model[31]; },
      [](auto& p) { p.mode = Mode::kMasked; },
      [](auto& p) { ++p.masking.honest_min; },
      [](auto& p) { ++p.masking.corrupt.whole; },
      [](auto& p) { ++p.masking.dropped.whole; },
      [](auto& p) { ++p.masking.newcomers.whole; },
      [](auto& p) { ++p.masking.phase_ms; },
      [](auto& p) { p.privacy.on = true; },
      [](auto& p) { ++p.privacy.epsilon; },
      [](auto& p) { p.privacy.delta /= 2; },
      [](auto& p) { ++p.privacy.noise_multiplier; },
      [](auto& p) { p.privacy.sampling_rate /= 2; },
      [](auto& p) { ++p.privacy.honest_min; },
      [](auto& p) { p.privacy.adaptive_clip = true; },
      [](auto& p) { p.privacy.clip_quantile /= 2; },
      [](auto& p) { p.privacy.clip_rate /= 2; },
      [](auto& p) { p.evaluation = true; },
      [](auto& p) { p.examples.noise_multiplier = 1; },
      [](auto& p) {
        p.examples = {1, 2};
      },
  };
  std::set<Digest> digests;
  for (const auto& change : changes) {
    CampaignPlan plan = samples::plan();
    change(plan);
    EXPECT_TRUE(digests.insert(plan_digest(plan)).second) << digests.size();
  }
}

TEST(Plan, ModesAreReadBackByName) {
  EXPECT_EQ(mode_named(name_of(Mode::kTrustedCoordinator)).value(), Mode::kTrustedCoordinator);
  EXPECT_EQ(mode_named(name_of(Mode::kMasked)).value(), Mode::kMasked);
  EXPECT_EQ(
      mode_named("open").error().what,
      "unknown mode \"open\": use \"masked\", in which the coordinator sees the sum alone, or "
      "\"trusted-coordinator\", in which it opens every update");
}

}  // namespace
}  // namespace freshet
