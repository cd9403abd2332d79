// `freshet model finetune`, `eval` and `info` as people type them, in processes of their own.

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "aggregation/privacy/rdp.h"
#include "base/exit_code.h"
#include "base/flags.h"
#include "base/json.h"
#include "cli/model/finetune_flags.h"
#include "cli/model/verbs.h"
#include "tests/cli/finetune_fixture.h"
#include "trainer/training/checkpoint.h"
#include "trainer/training/mezo.h"

namespace freshet {
namespace {

int run_verb(const Words& words) {
  Command app("test", "model");
  Verb chosen;
  add_finetune(app, chosen);
  add_eval(app, chosen);
  add_info(app, chosen);
  if (const auto over = app.parse(words)) return *over;
  return run_chosen(chosen);
}

TEST_F(Finetune, LearnsAndSaysWhatItDid) {
  const Ran ran = run(words("out", {"--steps", "30", "--heldout", "0.2", "--losses"}));
  ASSERT_EQ(ran.code, 0) << ran.errors;
  const Json said = ran.json();
  EXPECT_EQ(said["steps"], 30);
  EXPECT_EQ(said["losses"].size(), 30u);
  EXPECT_LT(said["last_loss"], said["first_loss"].get<double>() - 0.5);
  EXPECT_LT(said["heldout_after"], said["heldout_before"].get<double>() - 0.1);
  EXPECT_GT(said["first_step_seconds"], 0.0);
  EXPECT_GT(said["tokens_per_second"], 0.0);
  EXPECT_GT(said["peak_rss_bytes"], 1'000'000);
  EXPECT_GT(said["predicted_peak_bytes"], 1'000'000);
  EXPECT_EQ(said["adapter"], at("out"));
  EXPECT_FALSE(std::filesystem::exists(at("out.state")));
  EXPECT_FALSE(adapter("out").empty());
  EXPECT_EQ(run(words("out", {"--steps", "2"})).code, static_cast<int>(ExitCode::kRefused));
  EXPECT_EQ(run(words("out", {"--steps", "2", "--force"})).code, 0);
}

TEST_F(Finetune, KeepsTheExamplesOfATextPrivateAndCountsWhatThatCost) {
  const Words plan = {"--steps", "20", "--dp-folder", at("node")};
  const auto with = [&](const std::string& out, const Words& more) {
    Words all = words(out, plan);
    all.insert(all.end(), more.begin(), more.end());
    return run(all);
  };
  const Ran first = with("one", {"--dp-epsilon", "6", "--dp-clip", "0.5", "--dp-budget", "8"});
  ASSERT_EQ(first.code, 0) << first.errors;
  const Json privacy = first.json()["privacy"];
  const double noise = privacy["noise_multiplier"], rate = privacy["sampling_rate"];
  EXPECT_NEAR(rate, 2.0 / privacy["examples"].get<double>(), 1e-12);
  const Release twenty[] = {{noise, rate, 20}};
  EXPECT_DOUBLE_EQ(privacy["epsilon"], renyi_epsilon(twenty, 1e-5));
  EXPECT_LE(privacy["epsilon"], 6.0);
  EXPECT_GT(privacy["epsilon"], 5.9);
  // The same again is the same adapter and free; another one is charged beside it.
  ASSERT_EQ(with("again", {"--dp-epsilon", "6", "--dp-clip", "0.5"}).code, 0);
  EXPECT_EQ(adapter("one"), adapter("again"));
  const Ran other = with("two", {"--dp-noise", "3"});
  ASSERT_EQ(other.code, 0) << other.errors;
  const Release both[] = {{noise, rate, 20}, {3, rate, 20}};
  EXPECT_NEAR(other.json()["privacy"]["epsilon_of_all"], renyi_epsilon(both, 1e-5), 1e-9);
  EXPECT_NE(adapter("one"), adapter("two"));
  const Ran refused = with("three", {"--dp-epsilon", "9"});
  EXPECT_EQ(refused.code, static_cast<int>(ExitCode::kRefused)) << refused.errors;
  EXPECT_NE(refused.errors.find("budget is spent"), std::string::npos) << refused.errors;
}

TEST_F(Finetune, RefusesFlagsThatDoNotGoWithPrivacy) {
  const int usage = static_cast<int>(ExitCode::kUsage);
  EXPECT_EQ(run(words("out", {"--dp-epsilon", "3"})).code, usage);
  EXPECT_EQ(run(words("out", {"--dp-clip", "3"})).code, usage);
  for (const Words& wrong : {Words{"--method", "mezo"}, Words{"--order", "windows"},
                             Words{"--clip", "2"}, Words{"--dp-noise", "2"}}) {
    Words all = words("out", {"--dp-epsilon", "3", "--dp-folder", at("node")});
    all.insert(all.end(), wrong.begin(), wrong.end());
    EXPECT_EQ(run(all).code, usage) << wrong[0];
  }
  const Ran few =
      run(words("out", {"--dp-noise", "2", "--dp-folder", at("node"), "--accumulate", "4000"}));
  EXPECT_EQ(few.code, static_cast<int>(ExitCode::kBadInput)) << few.errors;
}

TEST_F(Finetune, GoesThroughTheTextAsOftenAsAsked) {
  const int once = run(words("one", {"--epochs", "1"})).json()["steps"],
            twice = run(words("two", {"--epochs", "2"})).json()["steps"];
  EXPECT_GT(once, 3);
  EXPECT_EQ(twice, 2 * once);
}

TEST_F(Finetune, KilledAnywhereAndGoneOnWithGivesTheSameAdapter) {
  for (const Words& method : {Words{}, Words{"--method", "mezo", "--mezo-seeds", "5"},
                              Words{"--order", "windows", "--optimizer", "sgd"}}) {
    SCOPED_TRACE(method.empty() ? "backprop" : method[1]);
    Words plan = {"--steps", "40", "--warmup", "4", "--save-every", "1", "--losses"};
    plan.insert(plan.end(), method.begin(), method.end());
    const Ran whole = run(words("whole", plan));
    ASSERT_EQ(whole.code, 0) << whole.errors;
    int kills = 0;
    Words resumed = words("parts", plan);
    resumed.push_back("--resume");
    for (const int after : {3, 9, 5}) {  // states that were saved, of this process
      const Arrivals arrivals(place.path());
      Process process(resumed);
      arrivals.wait("parts.state", after);
      process.send(SIGKILL);
      kills += process.wait().code == 128 + SIGKILL;
    }
    EXPECT_EQ(kills, 3);
    EXPECT_TRUE(std::filesystem::exists(at("parts.state")));
    EXPECT_FALSE(std::filesystem::exists(at("parts")));
    const Ran rest = run(resumed);
    ASSERT_EQ(rest.code, 0) << rest.errors;
    EXPECT_NE(rest.errors.find("going on after step"), std::string::npos) << rest.errors;
    EXPECT_EQ(adapter("whole"), adapter("parts"));
    EXPECT_EQ(whole.json()["losses"], rest.json()["losses"]);
    for (const auto& entry :
         std::filesystem::directory_iterator(place.path()))  // nothing unfinished is left
      EXPECT_EQ(entry.path().filename().string().find(".tmp"), std::string::npos) << entry.path();
    for (const char* name : {"whole", "parts"}) std::filesystem::remove_all(at(name));
  }
}

TEST_F(Finetune, InterruptedFinishesItsStepAndSaysHowToGoOn) {
  for (const int signal : {SIGINT, SIGTERM}) {
    const Arrivals arrivals(place.path());
    Process process(
        words("out", {"--steps", "100000", "--save-every", "1", "--schedule", "constant"}));
    arrivals.wait("out.state", 2);
    process.send(signal);
    const Ran ran = process.wait();
    EXPECT_EQ(ran.code, static_cast<int>(ExitCode::kInterrupted)) << ran.errors;
    EXPECT_NE(ran.errors.find("--resume"), std::string::npos) << ran.errors;
    EXPECT_FALSE(std::filesystem::exists(at("out")));
    EXPECT_EQ(run(words("out", {"--steps", "5"})).code,
              static_cast<int>(ExitCode::kRefused));  // a state is there
    EXPECT_GE(read_checkpoint(at("out.state")).value().state.step, 2);
    std::filesystem::remove(at("out.state"));
  }
}

TEST_F(Finetune, AStateOfAnotherTrainingIsRefusedByWhatDiffers) {
  const Arrivals arrivals(place.path());
  Process process(words("out", {"--steps", "100000", "--save-every", "1"}));
  arrivals.wait("out.state", 1);
  process.send(SIGKILL);
  process.wait();
  const Ran other = run(words("out", {"--steps", "7", "--resume"}));
  EXPECT_EQ(other.code, static_cast<int>(ExitCode::kBadInput));
  EXPECT_NE(other.errors.find("--steps was 100000, not 7"), std::string::npos) << other.errors;
  std::ofstream(place / "notes.txt", std::ios::app) << "one line more\n";
  const Ran text = run(words("out", {"--steps", "100000", "--save-every", "1", "--resume"}));
  EXPECT_EQ(text.code, static_cast<int>(ExitCode::kBadInput));
  EXPECT_NE(text.errors.find("another text"), std::string::npos) << text.errors;
  std::ofstream(at("out.state"), std::ios::binary | std::ios::in | std::ios::out).seekp(400)
      << "damage";
  EXPECT_EQ(run(words("out", {"--steps", "100000", "--resume"})).code,
            static_cast<int>(ExitCode::kCorrupt));
  EXPECT_EQ(run(words("out", {"--steps", "2", "--force"})).code, 0);
  EXPECT_FALSE(std::filesystem::exists(at("out.state")));
}

TEST_F(Finetune, DirectionsAloneGiveTheAdapter) {
  const Ran ran = run(words(
      "out", {"--method", "mezo", "--mezo-seeds", "6", "--steps", "20", "--schedule", "constant"}));
  ASSERT_EQ(ran.code, 0) << ran.errors;
  const Json told =
      parse_json(read_file(at("out") + "/directions.json", 1 << 20).value(), "directions.json")
          .value();
  EXPECT_EQ(told["seed"], 3);
  EXPECT_EQ(told["directions"], 6);
  const ModelConfig config = *read_config(*open_model_folder(kModel));
  const Layout layout = adapter_layout(config, {.rank = 4}).value();
  const auto factors = told["factors"].get<std::vector<double>>();
  EXPECT_EQ(adapter("out"), replay_directions(layout, true, true, told["seed"].get<std::uint64_t>(),
                                              factors, initial_adapter(layout, 3)));
  EXPECT_NE(adapter("out"), initial_adapter(layout, 3));
}

TEST_F(Finetune, RowsTeachTheirAnswersAlone) {
  const Words rows = {
      "finetune",  kModel,     "--data", at("rows.jsonl"), "--out", at("out"), "--rank",
      "4",         "--window", "32",     "--lr",           "0.01",  "--steps", "20",
      "--heldout", "0.3",      "--json", "--threads",      "1"};
  const Ran ran = run(rows);
  ASSERT_EQ(ran.code, 0) << ran.errors;
  EXPECT_LT(ran.json()["heldout_after"], ran.json()["heldout_before"].get<double>());
  const Json answers =
      run({"eval", kModel, "--data", at("rows.jsonl"), "--json", "--threads", "1"}).json();
  std::ofstream whole(place / "whole.jsonl");
  for (int i = 0; i < 24; ++i)
    whole << R"({"text": "how many )" << i << R"(? <|im_end|>there are )" << i << R"("})" << '\n';
  whole.close();
  const Json all =
      run({"eval", kModel, "--data", at("whole.jsonl"), "--json", "--threads", "1"}).json();
  EXPECT_EQ(answers["docs"], 24);
  EXPECT_LT(answers["tokens"], all["tokens"].get<int>() / 2 + 24);
  EXPECT_EQ(answers["bytes"], [] {
    std::size_t bytes = 0;
    for (int i = 0; i < 24; ++i)
      bytes += std::string("there are ").size() + std::to_string(i).size();
    return bytes;
  }());
}

TEST_F(Finetune, GoesOnFromAnAdapter) {
  ASSERT_EQ(run(words("first", {"--steps", "20"})).code, 0);
  const Words more = {
      "finetune",  kModel,     "--data",   at("notes.txt"), "--out",     at("more"), "--init",
      at("first"), "--window", "16",       "--batch",       "2",         "--steps",  "3",
      "--lr",      "0.0001",   "--losses", "--json",        "--threads", "1"};
  const Ran ran = run(more);
  ASSERT_EQ(ran.code, 0) << ran.errors;
  EXPECT_LT(ran.json()["first_loss"],
            run(words("again", {"--steps", "1"})).json()["first_loss"].get<double>() - 0.3);
  EXPECT_EQ(adapter("more").size(), adapter("first").size());
}

TEST_F(Finetune, EveryPrecisionTrains) {
  for (const char* precision : {"f32", "bf16", "int8", "nf4"}) {
    const Ran ran =
        run(words(precision, {"--steps", "10", "--precision", precision, "--recompute"}));
    ASSERT_EQ(ran.code, 0) << precision << ran.errors;
    EXPECT_EQ(ran.json()["precision"], precision);
    EXPECT_EQ(ran.json()["recompute"], true);
    EXPECT_LT(ran.json()["last_loss"], ran.json()["first_loss"]);
  }
}

TEST_F(Finetune, WhatCannotWorkIsSaidWithItsExitCode) {
  struct Case {
    Words more;
    ExitCode code;
    std::string says;
  };
  const Case cases[] = {
      {{"--steps", "3", "--epochs", "1"}, ExitCode::kUsage, "--epochs"},
      {{"--accumulate", "0"}, ExitCode::kUsage, "--accumulate"},
      {{"--method", "mezo", "--recompute"}, ExitCode::kUsage, "--recompute"},
      {{"--mezo-seeds", "4"}, ExitCode::kUsage, "mezo"},
      {{"--memory-max", "much"}, ExitCode::kUsage, "1500M"},
      {{"--losses", "--precision", "int4"}, ExitCode::kUsage, "--precision"},
      {{"--init", "x"}, ExitCode::kUsage, "--rank"},
      {{"--window", "20000"}, ExitCode::kBadInput, "positions"},
      {{"--targets", "nothing_like_it"}, ExitCode::kBadInput, "nothing_like_it"},
      {{"--memory-max", "1M"}, ExitCode::kBadInput, "M"},
      {{"--lr", "1e30", "--steps", "20"}, ExitCode::kUsage, "--lr"},
      {{"--device", "cuda:77", "--steps", "1"}, ExitCode::kUnavailable, "cuda:77"},
  };
  for (const Case& each : cases) {
    Words all = words("out", each.more);
    if (const auto at = std::find(all.begin(), all.begin() + 18, "--window");
        each.more[0] == "--window")
      all.erase(at, at + 2);
    if (const auto at = std::find(all.begin(), all.begin() + 18, "--lr"); each.more[0] == "--lr")
      all.erase(at, at + 2);
    const Ran ran = run(all);
    EXPECT_EQ(ran.code, static_cast<int>(each.code)) << each.more[0] << ": " << ran.errors;
    EXPECT_NE((ran.errors + ran.out).find(each.says), std::string::npos)
        << each.more[0] << ": " << ran.errors;
    EXPECT_FALSE(std::filesystem::exists(at("out"))) << each.more[0];
    EXPECT_FALSE(std::filesystem::exists(at("out.state"))) << each.more[0];
  }
}

TEST_F(Finetune, EmptyTextAndMissingFilesAreNamed) {
  std::ofstream(place / "empty.txt").close();
  for (const std::string& data :
       {at("empty.txt"), at("nowhere"), place.path().string() + "/none.jsonl"}) {
    const Ran ran = run({"finetune", kModel, "--data", data, "--out", at("out")});
    EXPECT_EQ(ran.code, static_cast<int>(ExitCode::kBadInput)) << ran.errors;
    EXPECT_NE(ran.errors.find(data), std::string::npos) << ran.errors;
  }
  EXPECT_EQ(run({"finetune", at("nowhere"), "--data", at("notes.txt"), "--out", at("out")}).code,
            static_cast<int>(ExitCode::kBadInput));
}

// A file that may not grow fails as a full disk does: with an error in write().
TEST_F(Finetune, AStateThatCannotBeSavedEndsTheTrainingWithAReason) {
  const Ran ran = Process(words("out", {"--steps", "5", "--save-every", "1"}), 1000).wait();
  EXPECT_NE(ran.code, 0);
  EXPECT_NE(ran.errors.find("the state after step 1 could not be saved"), std::string::npos)
      << ran.errors;
  EXPECT_FALSE(std::filesystem::exists(at("out")));
}

TEST_F(Finetune, ALossThatIsNoNumberSaysWhatToLower) {
  Words all = words("out", {"--steps", "50", "--clip", "0", "--optimizer", "sgd", "--warmup", "0",
                            "--schedule", "constant"});
  *std::find(all.begin(), all.end(), "0.01") = "10";
  all.insert(all.end(), {"--alpha", "100000"});
  const Ran ran = run(all);
  EXPECT_EQ(ran.code, static_cast<int>(ExitCode::kBadInput)) << ran.out;
  EXPECT_NE(ran.errors.find("lower the learning rate"), std::string::npos) << ran.errors;
}

TEST(Info, NeedsNoWeightsAndTellsTheArchitecture) {
  for (const char* name : {"gpt2", "qwen3", "mistral-window"}) {
    const Ran ran = run({"info", std::string("tests/trainer/golden/") + name, "--json"});
    ASSERT_EQ(ran.code, 0) << ran.errors;
    EXPECT_EQ(std::string(name).find(ran.json()["architecture"].get<std::string>()), 0u);
    EXPECT_GT(ran.json()["parameters"], 1000);
    EXPECT_FALSE(ran.json().contains("digest"));
  }
  EXPECT_EQ(run({"info", kModel, "--json", "--digest"}).json()["digest"].get<std::string>().size(),
            64u);
}

TEST(Sizes, AreReadAsPeopleWriteThem) {
  EXPECT_EQ(parse_size("1500M"), 1'500'000'000u);
  EXPECT_EQ(parse_size("1.5GB"), 1'500'000'000u);
  EXPECT_EQ(parse_size("2g"), 2'000'000'000u);
  EXPECT_EQ(parse_size("800000"), 800'000u);
  for (const char* bad : {"", "M", "-1G", "1T", "1 G", "0", "nan", "1GBB", "1e9999"})
    EXPECT_FALSE(parse_size(bad)) << bad;
}

}  // namespace
}  // namespace freshet

int main(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "--verb")
    return freshet::run_verb({argv + 2, argv + argc});
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
