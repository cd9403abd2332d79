// What a node takes of its device while it waits, before and after a round: the program that is
// shipped, with its own trainer.

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <sstream>
#include <thread>

#include "base/json.h"
#include "tests/integration/programs.h"
#include "tests/temp_folder.h"

namespace freshet {
namespace {

using Seconds = std::chrono::duration<double>;

constexpr std::uint64_t kResidentKibMax = 8 * 1024;
// It settles at 0.01 % within a minute. Here the pages that it gave back after the round come again,
// on a busy machine; ten turns a second were 0.11 %.
constexpr double kCoreMax = 6e-4;
constexpr int kComesWithinMs = 30'000;

std::uint64_t resident_kib(pid_t pid) {
  const auto text = read_file("/proc/" + std::to_string(pid) + "/status", 1 << 16);
  if (!text || text->find("VmRSS:") == std::string::npos) return 0;
  return std::strtoull(text->c_str() + text->find("VmRSS:") + 6, nullptr, 10);
}

// Of all its threads.
double processor_seconds(pid_t pid) {
  double nanoseconds = 0;
  std::error_code error;
  for (const auto& task :
       std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/task", error)) {
    const auto text = read_file(task.path() / "schedstat", 4096);
    if (text) nanoseconds += std::strtod(text->c_str(), nullptr);
  }
  return nanoseconds / 1e9;
}

bool has_child(pid_t pid) {
  const std::string id = std::to_string(pid);
  const auto text = read_file("/proc/" + id + "/task/" + id + "/children", 4096);
  return text && !text->empty();
}

template <class Condition>
bool comes(Condition condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(kComesWithinMs);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return true;
}

struct IdleNode : testing::Test {
  std::string at(const std::string& name) const { return (folder / name).string(); }
  static std::string run(const std::string& program, const std::vector<std::string>& arguments) {
    const Ran ran = run_program(program, arguments);
    EXPECT_EQ(ran.code, 0) << ran.out;
    return ran.out.substr(0, ran.out.find('\n'));
  }
  std::unique_ptr<Daemon> node(const std::string& name, const std::string& address) {
    const std::string line = run("freshet-node", {"init", "--dir", at(name)});
    run("freshet-coordinator", {"allow", "--dir", at("c"), name, line});
    std::string text;
    for (int i = 0; i < 400; ++i) text += "line " + std::to_string(i) + " of " + name + "\n";
    EXPECT_TRUE(make_folders(folder / ("text-" + name)));
    EXPECT_TRUE(write_file_durably(folder / ("text-" + name) / "notes.txt", as_bytes(text)));
    return std::make_unique<Daemon>(
        "freshet-node",
        std::vector<std::string>{"run", "--dir", at(name), "--data", at("text-" + name), "--model",
                                 "models/edge-slm", "--coordinator", address, "--coordinator-id",
                                 identity, "--trust-coordinator"});
  }
  static void expect_small(const Daemon& node) {
    EXPECT_TRUE(comes([&] { return !has_child(node.pid()); })) << "the trainer stays";
    EXPECT_TRUE(comes([&] { return resident_kib(node.pid()) <= kResidentKibMax; }))
        << resident_kib(node.pid()) << " KiB";
    std::printf("a node that waits: %.1f MB\n",
                static_cast<double>(resident_kib(node.pid())) / 1024);
  }
  TempFolder folder;
  std::string identity;
};

TEST_F(IdleNode, TakesEightMegabytesAndHardlyATurnOfTheProcessor) {
  const char* programs = ::getenv("FRESHET_BIN");
#ifdef __SANITIZE_ADDRESS__
  programs = nullptr;
#endif
  std::error_code error;
  if (programs == nullptr || !std::filesystem::exists(Path(programs) / "freshet-trainer", error))
    GTEST_SKIP() << "of the programs that are shipped, and this build has no trainer";
  identity = run("freshet-coordinator", {"init", "--dir", at("c")});
  Daemon coordinator("freshet-coordinator",
                     {"run", "--dir", at("c"), "--listen", "tcp://127.0.0.1:0"});
  const std::string address = coordinator.line().substr(std::string("endpoint ").size());
  const auto first = node("a", address), second = node("b", address);
  EXPECT_TRUE(comes([&] { return std::filesystem::exists(folder / "a" / "text.json", error); }));
  expect_small(*first);

  const std::string campaign =
      "[campaign]\nname = \"idle\"\nmodel = \"" +
      std::filesystem::absolute("models/edge-slm").string() +
      "\"\nmode = \"trusted-coordinator\"\nrounds = 1\n[cohort]\nmin = 2\nmax = 2\n"
      "survivors_min = 2\n[training]\nsteps = 1\nbatch = 1\nwindow = 32\n";
  ASSERT_TRUE(write_file_durably(folder / "c.toml", as_bytes(campaign)));
  run("freshet-coordinator", {"campaign", "submit", at("c.toml"), "--dir", at("c")});
  ASSERT_TRUE(comes([&] { return std::filesystem::exists(folder / "a" / "report.json", error); }));
  expect_small(*first);

  const auto begin = std::chrono::steady_clock::now();
  const double before = processor_seconds(first->pid());
  std::this_thread::sleep_for(std::chrono::milliseconds(10'200));  // a word to the coordinator is among it
  const double took = processor_seconds(first->pid()) - before;
  const double share = took / Seconds(std::chrono::steady_clock::now() - begin).count();
  std::printf("a node that waits: %.4f %% of a core\n", 100 * share);
  EXPECT_LE(share, kCoreMax);
}

}  // namespace
}  // namespace freshet
