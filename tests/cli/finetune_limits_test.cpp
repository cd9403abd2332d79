// `freshet model finetune` where memory, a saved training or somebody else's files stand in its
// way.

#include <algorithm>

#include "base/exit_code.h"
#include "tests/cli/finetune_fixture.h"
#include "trainer/training/checkpoint.h"

namespace freshet {
namespace {

TEST_F(Finetune, AMachineWithoutTheMemoryIsSaidSo) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "the sanitizer needs addresses without end";
#endif
  Words all = words("out", {"--steps", "2"});
  *(std::find(all.begin(), all.end(), "--batch") + 1) = "1024";
  *(std::find(all.begin(), all.end(), "--window") + 1) = "64";
  const Ran ran = Process(all, RLIM_INFINITY, 200'000'000).wait();
  EXPECT_EQ(ran.code, static_cast<int>(ExitCode::kNoSpace)) << ran.errors;
  EXPECT_NE(ran.errors.find("--memory-max"), std::string::npos) << ran.errors;
  EXPECT_FALSE(std::filesystem::exists(at("out")));
}

// A training into `out` that was broken off after its first state.
void break_off(const TempFolder& place, const Words& words) {
  const Arrivals arrivals(place.path());
  Process process(words);
  arrivals.wait("out.state", 1);
  process.send(SIGKILL);
  process.wait();
}

TEST_F(Finetune, GoingOnKeepsToTheMemoryThatIsAllowed) {
  Words plan = words("out", {"--steps", "2000", "--save-every", "1"});
  break_off(place, plan);
  plan.push_back("--resume");
  Words tight = plan;
  tight.insert(tight.end(), {"--memory-max", "1M"});
  const Ran refused = run(tight);
  EXPECT_EQ(refused.code, static_cast<int>(ExitCode::kBadInput)) << refused.errors;
  EXPECT_NE(refused.errors.find("the saved training needs "), std::string::npos) << refused.errors;
  EXPECT_TRUE(std::filesystem::exists(at("out.state")));
  Checkpoint nearly = read_checkpoint(at("out.state")).value();
  nearly.state.step = 1999;
  nearly.state.losses.resize(1999, 1.0f);
  ASSERT_TRUE(write_checkpoint(at("out.state"), nearly.terms, nearly.state));
  plan.insert(plan.end(), {"--memory-max", "2G"});
  const Ran ran = run(plan);
  ASSERT_EQ(ran.code, 0) << ran.errors;
  EXPECT_GT(ran.json()["predicted_peak_bytes"], 1'000'000);
}

TEST_F(Finetune, AStateOfOtherProductsIsRefused) {
  Words plan = words("out", {"--steps", "100000", "--save-every", "1", "--precision", "f32"});
  break_off(place, plan);
  Checkpoint saved = read_checkpoint(at("out.state")).value();
  EXPECT_EQ(term_of(saved.terms, "multiplication"), "f32");
  for (auto& [name, value] : saved.terms)
    if (name == "multiplication") value = "bf16";
  ASSERT_TRUE(write_checkpoint(at("out.state"), saved.terms, saved.state));
  plan.push_back("--resume");
  const Ran ran = run(plan);
  EXPECT_EQ(ran.code, static_cast<int>(ExitCode::kBadInput)) << ran.errors;
  EXPECT_NE(ran.errors.find("multiplication was bf16, not f32"), std::string::npos) << ran.errors;
}

TEST_F(Finetune, ASavedTrainingIsForgottenOnlyForOneThatCanStart) {
  break_off(place, words("out", {"--steps", "100000", "--save-every", "1"}));
  for (const Words& bad :
       {Words{"--force", "--targets", "nothing_like_it"}, Words{"--force", "--memory-max", "1M"}}) {
    EXPECT_EQ(run(words("out", bad)).code, static_cast<int>(ExitCode::kBadInput));
    EXPECT_TRUE(std::filesystem::exists(at("out.state"))) << bad[1];
  }
  EXPECT_EQ(run(words("out", {"--force", "--steps", "1"})).code, 0);
  EXPECT_FALSE(std::filesystem::exists(at("out.state")));
}

TEST_F(Finetune, RemovesOnlyWhatAProcessThatEndedLeft) {
  const pid_t ended = ::fork();
  if (ended == 0) ::_exit(0);
  ::waitpid(ended, nullptr, 0);
  const auto make = [&](const std::string& folder, const std::string& file) {
    std::filesystem::create_directories(at(folder));
    std::ofstream(at(folder + "/" + file)) << "text";
    return folder;
  };
  const std::string number = std::to_string(ended);
  const std::string left = make("out.tmp" + number, "adapter_model.safetensors"),
                    foreign = make("out.tmp0" + number, "thesis.txt"),
                    alive = make("out.tmp" + std::to_string(::getpid()), "adapter_config.json"),
                    year = make("out.state.tmp" + number, "adapter_config.json");
  ASSERT_EQ(run(words("out", {"--steps", "1"})).code, 0);
  EXPECT_FALSE(std::filesystem::exists(at(left)));
  for (const std::string& kept : {foreign, alive, year})
    EXPECT_TRUE(std::filesystem::exists(at(kept))) << kept;
}

}  // namespace
}  // namespace freshet
