#include "protocol/campaign_file.h"

#include <gtest/gtest.h>

#include "tests/protocol/samples.h"

namespace freshet {
namespace {

constexpr std::string_view kLeast = R"([campaign]
name = "first"
model = "edge-slm"
mode = "trusted-coordinator"
)";

std::string error_of(std::string_view toml) {
  const auto file = parse_campaign_file(toml, "c.toml");
  if (file) return "parsed";
  EXPECT_EQ(file.error().code, Code::kBadInput);
  return file.error().what;
}
std::string error_with(std::string_view more) {
  return error_of(std::string(kLeast) + std::string(more));
}

TEST(CampaignFile, TheLeastFileHasThePlansDefaults) {
  const auto file = parse_campaign_file(kLeast, "c.toml");
  ASSERT_TRUE(file) << file.error().what;
  CampaignFile expected;
  expected.plan.name = "first";
  expected.model = "edge-slm";
  EXPECT_EQ(*file, expected);
  EXPECT_FALSE(file->adapt.enabled);
}

TEST(CampaignFile, EveryKeyIsRead) {
  const auto file = parse_campaign_file(R"([campaign]
name = "all"
model = "m"
mode = "trusted-coordinator"
method = "fedit"
rule = "yogi"
rounds = 7
[cohort]
min = 3
max = 5
survivors_min = 1
ready_ms = 10
round_ms = 20
[lora]
rank = 4
alpha = 12.5
targets = ["q_proj", "o_proj"]
seed = 6
[training]
steps = 11
batch = 12
window = 13
lr = 1e-4
seed = 14
[update]
clip = 2
range = 0.5
bits = 8
weight_max = 9
[server]
lr = 0.1
beta1 = 0.2
beta2 = 0.3
tau = 0.4
[adapt]
llm = "l"
public_text = "p"
rank = 2
alpha = 3
steps = 4
batch = 5
window = 6
top_k = 7
lr = 0.5
temperature = 2
weight = 0.25
weight_end = 0.125
shift = false
seed = 15
ways = ["generate", "distill", "proxy"]
keeping = 3
public_sequences = 16
written_sequences = 17
own_sequences = 18
proxy_weight = 0.75
)",
                                        "c.toml");
  ASSERT_TRUE(file) << file.error().what;
  const CampaignFile expected{
      .plan = {.name = "all",
               .method = Method::kFedit,
               .rule = Yogi{0.1f, 0.2f, 0.3f, 0.4f},
               .rounds = 7,
               .cohort_min = 3,
               .cohort_max = 5,
               .survivors_min = 1,
               .ready_ms = 10,
               .round_ms = 20,
               .lora = {4, 12.5f, {"q_proj", "o_proj"}, 6},
               .training = {11, 12, 13, 1e-4f, 14},
               .clip = 2,
               .grid = {.range = 0.5f, .bits = 8, .weight_max = 9}},
      .model = "m",
      .adapt = {
          true, "l",  "p", 2,     3,      4,     5,  6,
          7,    0.5f, 2,   0.25f, 0.125f, false, 15, {Way::kGenerate, Way::kDistill, Way::kProxy},
          3,    16,   17,  18,    0.75f}};
  EXPECT_EQ(*file, expected);
}

TEST(CampaignFile, TheRangeFollowsTheClipUnlessGiven) {
  EXPECT_EQ(parse_campaign_file(std::string(kLeast) + "[update]\nclip = 32", "c")->plan.grid.range,
            2);
  EXPECT_EQ(parse_campaign_file(std::string(kLeast) + "[update]\nclip = 32\nrange = 1", "c")
                ->plan.grid.range,
            1);
}

TEST(CampaignFile, OneNodeAloneNeedsNoSecondSurvivor) {
  const auto file = parse_campaign_file(std::string(kLeast) + "[cohort]\nmin = 1", "c");
  EXPECT_EQ(file->plan.survivors_min, 1u);
}

TEST(CampaignFile, ParseOfToTomlIsTheFile) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(seed);
    Rng rng(seed);
    CampaignFile file{
        .plan = samples::random_plan(rng), .model = "a \"b\" \\ c\t\xc3\xa9", .adapt = {}};
    file.plan.model = {};  // its digest has no place in the file
    if (rng.below(2) == 0)
      file.adapt = {rng.below(2) == 0,
                    "llm",
                    "public",
                    3,
                    static_cast<float>(rng.uniform() + 0.01),
                    5,
                    6,
                    7,
                    8,
                    static_cast<float>(rng.uniform() + 1e-6),
                    1,
                    0.5f,
                    0,
                    rng.below(2) == 0,
                    rng.next_u64() >> 1,
                    {Way::kProxy, Way::kGenerate},
                    static_cast<int>(rng.below(6)),
                    4,
                    5,
                    6,
                    static_cast<float>(rng.uniform())};
    if (file.plan.logits.on) {
      file.adapt.enabled = true;
      file.adapt.ways = {Way::kLogits};
      file.adapt.question = "question";
      file.adapt.silence = 0.25f;
      file.adapt.sharpen = 2;
    }
    const auto again = parse_campaign_file(to_toml(file), "c.toml");
    ASSERT_TRUE(again) << again.error().what << "\n" << to_toml(file);
    EXPECT_EQ(*again, file) << to_toml(file);
  }
}

TEST(CampaignFile, UnknownKeysAndSectionsAreRefusedWithLineAndSuggestion) {
  EXPECT_EQ(error_with("ruonds = 3"),
            "c.toml:5: unknown key \"ruonds\" in [campaign]: did you mean \"rounds\"?");
  EXPECT_EQ(error_with("[lora]\nrank = 8\nalfa = 3"),
            "c.toml:7: unknown key \"alfa\" in [lora]: did you mean \"alpha\"?");
  EXPECT_EQ(error_with("[lora]\ndropout = 0.1"),
            "c.toml:6: unknown key \"dropout\" in [lora]: use rank, alpha, targets, seed");
  EXPECT_EQ(error_with("\n[trainning]\nsteps = 1"),
            "c.toml:6: unknown section [trainning]: did you mean \"training\"?");
  EXPECT_EQ(error_with("[secrecy]\nepsilon = 1").substr(0, 59),
            "c.toml:5: unknown section [secrecy]: use campaign, cohort, ");
}

TEST(CampaignFile, AKeyOfAnotherServerRuleIsRefused) {
  EXPECT_EQ(error_with("[server]\nbeta1 = 0.5"),
            "c.toml:6: unknown key \"beta1\" in [server]: use lr (the rule is sgd)");
  EXPECT_EQ(error_with("rule = \"momentum\"\n[server]\nbeta = 0.5"), "parsed");
}

TEST(CampaignFile, WrongTypesAreNamed) {
  EXPECT_EQ(error_with("rounds = \"3\""),
            "c.toml:5: [campaign] rounds is a text: it must be a whole number");
  EXPECT_EQ(error_with("rounds = 3.5"),
            "c.toml:5: [campaign] rounds is a number: it must be a whole number");
  EXPECT_EQ(error_with("rounds = -1"),
            "c.toml:5: [campaign] rounds is -1: it must be in [0, 4294967295]");
  EXPECT_EQ(error_with("[training]\nlr = true"),
            "c.toml:6: [training] lr is true or false: it must be a number");
  EXPECT_EQ(error_with("[lora]\ntargets = \"q_proj\""),
            "c.toml:6: [lora] targets is a text: it must be a list of texts");
  EXPECT_EQ(error_with("[lora]\ntargets = [\"q_proj\", 3]"),
            "c.toml:6: [lora] targets holds a whole number: it must be a list of texts");
  EXPECT_EQ(error_of("campaign = 3"),
            "c.toml:1: campaign is a whole number: write it as a section, [campaign]");
  EXPECT_EQ(error_with("[update]\nclip = 1979-05-27"),
            "c.toml:6: [update] clip is a date or time: it must be a number");
}

// Whoever says nothing about it gets masks, and the smallest cohort that they work with.
TEST(CampaignFile, NobodyGetsATrustedCoordinatorUnknowingly) {
  const auto file = parse_campaign_file("[campaign]\nname = \"a\"\nmodel = \"m\"", "c.toml");
  ASSERT_TRUE(file) << file.error().what;
  EXPECT_EQ(file->plan.mode, Mode::kMasked);
  EXPECT_EQ(file->plan.cohort_min, 5u);
  EXPECT_EQ(error_of("[campaign]\nname = \"a\"\nmodel = \"m\"\nmode = \"open\""),
            "c.toml:4: [campaign] mode: unknown mode \"open\": use \"masked\", in which the "
            "coordinator sees the sum alone, or \"trusted-coordinator\", in which it opens every "
            "update");
}

TEST(CampaignFile, SaysWhatMasksStandUpTo) {
  constexpr std::string_view kMasked = R"([campaign]
name = "m"
model = "m"
[cohort]
min = 9
[masking]
honest_min = 5
corrupt = "1/4"
dropped = "1/10"
newcomers = "1/2"
phase_ms = 7000
[privacy]
epsilon = 3
delta = 1e-6
noise_multiplier = 1.5
sampling_rate = 0.5
honest_min = 5
adaptive_clip = true
clip_quantile = 0.6
clip_rate = 0.1
)";
  EXPECT_EQ(
      error_of(std::string(kMasked) + "[evaluation]\ntotals = true\n"),
      "c.toml: [evaluation] totals cannot go with [privacy]: they have no noise; leave one out");
  const std::string without = std::string(kMasked).substr(0, kMasked.find("[privacy]"));
  const auto totals = parse_campaign_file(without + "[evaluation]\ntotals = true\n", "c.toml");
  ASSERT_TRUE(totals) << totals.error().what;
  EXPECT_TRUE(totals->plan.evaluation);
  EXPECT_EQ(*parse_campaign_file(to_toml(*totals), "again"), *totals);
  const auto file = parse_campaign_file(kMasked, "c.toml");
  ASSERT_TRUE(file) << file.error().what;
  EXPECT_EQ(file->plan.masking, (MaskingPlan{5, {1, 4}, {1, 10}, {1, 2}, 7000}));
  EXPECT_EQ(file->plan.privacy, (PrivacyPlan{true, 3, 1e-6, 1.5, 0.5, 5, true, 0.6, 0.1}));
  EXPECT_EQ(file->plan.method, Method::kFedsvd) << "where noise is and no method is named";
  EXPECT_EQ(totals->plan.method, CampaignPlan{}.method);
  EXPECT_EQ(error_of("[campaign]\nname = \"m\"\nmodel = \"m\"\n[masking]\ncorrupt = \"third\""),
            "c.toml:5: [masking] corrupt: \"third\" is no fraction: write \"1/3\"");
  EXPECT_EQ(error_of("[campaign]\nname = \"m\"\nmodel = \"m\"\n[masking]\ncorrupt = \"4/3\""),
            "c.toml: [masking] corrupt is 4/3: it must be a fraction from 0 to 1");
  EXPECT_EQ(error_of("[campaign]\nname = \"m\"\nmodel = \"m\"\n[masking]\ncorrupt = \"1/0\""),
            "c.toml: [masking] corrupt is 1/0: it must be a fraction from 0 to 1");
}

TEST(CampaignFile, AsksForNoiseForExamples) {
  const std::string plain = "[campaign]\nname = \"m\"\nmodel = \"m\"\n";
  const auto file =
      parse_campaign_file(plain + "[examples]\nnoise_multiplier = 1.5\nclip = 0.25\n", "c.toml");
  ASSERT_TRUE(file) << file.error().what;
  EXPECT_EQ(file->plan.examples, (ExamplesPlan{1.5, 0.25f}));
  EXPECT_EQ(*parse_campaign_file(to_toml(*file), "again"), *file);
  EXPECT_FALSE(parse_campaign_file(plain, "c.toml")->plan.examples.on());
  EXPECT_EQ(error_of(plain + "[examples]\nclip = 1\n").substr(0, 43),
            "c.toml: [examples] has no noise_multiplier:");
  EXPECT_EQ(error_of(plain + "[examples]\nnoise_multiplier = 0\n").substr(0, 41),
            "c.toml: [examples] noise_multiplier is 0:");
  EXPECT_EQ(error_of(plain + "[examples]\nnoise_multiplier = 1\n[evaluation]\ntotals = true\n"),
            "c.toml: [evaluation] totals cannot go with [examples]: they have no noise; leave one "
            "out");
}

TEST(CampaignFile, WhatIsMissingIsAskedFor) {
  EXPECT_EQ(error_of(""),
            "c.toml: [campaign] has no name: write name = \"...\", for people to know it by");
  EXPECT_EQ(error_of("[campaign]\nname = \"a\""),
            "c.toml: [campaign] has no model: write model = \"FOLDER\", the small model that the "
            "nodes train");
  EXPECT_EQ(error_with("[adapt]\nllm = \"l\""),
            "c.toml: [adapt] has no public_text: write public_text = \"FOLDER\", text that no node "
            "holds");
  EXPECT_EQ(error_with("[adapt]\nenabled = false"), "parsed");
}

TEST(CampaignFile, LogitsTakeAQuestionAndOneRound) {
  const std::string logits = "[adapt]\nllm = \"l\"\nways = [\"logits\"]\n";
  EXPECT_EQ(error_with(logits),
            "c.toml: [adapt] has no question: write question = \"FILE\", as `freshet model "
            "question FILE` makes it");
  const auto file = parse_campaign_file(
      std::string(kLeast) + logits + "question = \"q\"\n[logits]\nconfidence_full = 0.5", "c");
  ASSERT_TRUE(file) << file.error().what;
  EXPECT_EQ(file->plan.rounds, 1u);
  EXPECT_EQ(file->adapt.question, "q");
  EXPECT_EQ(file->plan.logits.full, 0.5f);
  EXPECT_FALSE(file->plan.logits.on) << "what it asks is known once it was submitted";
  EXPECT_EQ(error_with("[logits]\ntemperature = 2"),
            "c.toml: [logits] is for campaigns whose [adapt] ways is [\"logits\"]");
  EXPECT_EQ(error_with("[adapt]\nllm = \"l\"\nways = [\"logits\", \"proxy\"]\nquestion = \"q\""),
            "c.toml: [adapt] ways has \"logits\", where nodes send nothing of their models for "
            "another way to work with: give the others a campaign of their own");
}

TEST(CampaignFile, WaysThatAreNotBuiltAreRefusedByName) {
  EXPECT_EQ(error_with("[adapt]\nllm = \"l\"\nways = [\"generate\"]"), "parsed");
  EXPECT_EQ(error_with("[adapt]\nllm = \"l\"\nways = [\"proxy\", \"visible-logits\"]"),
            "c.toml:7: [adapt] ways: way \"visible-logits\" cannot be part of a campaign yet: use "
            "distill, generate, proxy, logits or direct");
  EXPECT_EQ(
      error_with("[adapt]\nllm = \"l\"\nways = [\"telepathy\"]"),
      "c.toml:7: [adapt] ways: unknown way \"telepathy\": use distill, generate, proxy, logits "
      "or direct");
  EXPECT_EQ(error_with("[adapt]\nllm = \"l\"\nways = []"),
            "c.toml: [adapt] ways is empty: name one, or leave [adapt] out where nothing is to "
            "learn");
  EXPECT_EQ(error_with("[adapt]\nllm = \"l\"\nways = [\"direct\", \"proxy\"]"),
            "c.toml: [adapt] ways has \"direct\", where the federated adapter is the LLM's own: no "
            "other way goes with it");
  EXPECT_EQ(error_with("[adapt]\nllm = \"l\"\nways = [\"proxy\", \"proxy\"]"),
            "c.toml: [adapt] ways has \"proxy\" twice");
}

TEST(CampaignFile, UnknownNamesListWhatThereIs) {
  EXPECT_EQ(error_with("method = \"flora\""),
            "c.toml:5: [campaign] method: unknown method \"flora\": use fedit, ffa, rolora, fedsvd "
            "or fed-sb");
  EXPECT_EQ(
      error_with("rule = \"adamw\""),
      "c.toml:5: [campaign] rule: unknown server rule \"adamw\": use sgd, momentum, adam or yogi");
}

TEST(CampaignFile, ValuesOutOfBoundsAreNamed) {
  EXPECT_EQ(error_with("rounds = 0"), "c.toml: [campaign] rounds is 0: it must be in [1, 100000]");
  EXPECT_EQ(error_with("[training]\nlr = nan"),
            "c.toml: [training] lr is nan: it must be a finite number above 0");
  EXPECT_EQ(error_with("[adapt]\nenabled = false\nweight = 1.5"),
            "c.toml: [adapt] weight is 1.5: it must be in [0, 1]");
}

TEST(CampaignFile, WhatIsNoTomlIsRefusedWithItsLine) {
  EXPECT_EQ(error_with("rounds = ").substr(0, 9), "c.toml:5:");
  EXPECT_EQ(error_with("# \xff").substr(0, 9), "c.toml:5:");
  EXPECT_EQ(error_of(std::string(70'000, '#')),
            "c.toml: 70000 bytes, where a campaign file has at most 65536");
}

}  // namespace
}  // namespace freshet
