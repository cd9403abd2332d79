#include "cli/verbs.h"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>

#include "base/check.h"
#include "base/files.h"

namespace freshet {
namespace {

Decision typed(std::vector<std::string> words) { return decide(words); }

TEST(Verbs, GoToTheProgramThatDoesThem) {
  struct Case {
    std::vector<std::string> words;
    std::string program;
    std::vector<std::string> arguments;
  };
  const Case cases[] = {
      {{"coordinator", "run", "--dir", "d"}, "freshet-coordinator", {"run", "--dir", "d"}},
      {{"campaign", "watch", "--json"}, "freshet-coordinator", {"campaign", "watch", "--json"}},
      {{"node", "init"}, "freshet-node", {"init"}},
      {{"demo", "--quick"}, "freshet-demo", {"--quick"}},
      {{"model", "eval", "m"}, "freshet-trainer", {"model", "eval", "m"}},
      {{"model", "pretrain", "m"}, "freshet-torch", {"model", "pretrain", "m"}},
      {{"model", "finetune", "m", "--device", "cuda"},
       "freshet-torch",
       {"model", "finetune", "m", "--device", "cuda"}},
      {{"model", "finetune", "m", "--device=cuda"},
       "freshet-torch",
       {"model", "finetune", "m", "--device=cuda"}},
      {{"model", "finetune", "m", "--device", "cpu"},
       "freshet-trainer",
       {"model", "finetune", "m", "--device", "cpu"}},
      {{"simulate", "protocol", "--seed", "1"}, "freshet-sim", {"--seed", "1"}},
      {{"simulate", "learning", "--help"}, "freshet-trainer", {"simulate-learning", "--help"}},
      {{"privacy", "ledger", "f", "--json"}, "freshet-privacy", {"ledger", "f", "--json"}},
      {{"privacy", "epsilon"}, "freshet-privacy", {"epsilon"}},
      {{"privacy", "payload", "--dir", "n"}, "freshet-node", {"payload", "--dir", "n"}},
      {{"help", "campaign", "submit"}, "freshet-coordinator", {"campaign", "submit", "--help"}},
      {{"evaluate", "adapt", "--json"}, "freshet-trainer", {"evaluate-adapt", "--json"}},
      {{"help", "simulate", "protocol"}, "freshet-sim", {"--help"}},
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(each.words[0] + " " + each.words[1]);
    Decision decision = decide(each.words);
    ASSERT_TRUE(std::holds_alternative<Execute>(decision));
    EXPECT_EQ(std::get<Execute>(decision).program, each.program);
    EXPECT_EQ(std::get<Execute>(decision).arguments, each.arguments);
  }
}

TEST(Verbs, MistypedOnesNameTheNearest) {
  EXPECT_NE(std::get<Misuse>(typed({"campain"})).text.find("    campaign\n"), std::string::npos);
  EXPECT_NE(std::get<Misuse>(typed({"coord"})).text.find("    coordinator\n"), std::string::npos);
  EXPECT_NE(std::get<Misuse>(typed({"simulate", "protocl"})).text.find("    protocol\n"),
            std::string::npos);
  EXPECT_EQ(std::get<Misuse>(typed({"xyzzy"})).text.find("most similar"), std::string::npos);
  EXPECT_NE(std::get<Misuse>(typed({"--quick"})).text.find("unknown option --quick"),
            std::string::npos);
  EXPECT_NE(std::get<Misuse>(typed({"privacy", "leger"})).text.find("    ledger\n"),
            std::string::npos);
  EXPECT_NE(std::get<Misuse>(typed({"privacy"})).text.find("budget"), std::string::npos);
  EXPECT_TRUE(std::holds_alternative<Misuse>(typed({"simulate"})));
  EXPECT_TRUE(std::holds_alternative<Misuse>(typed({})));
  EXPECT_TRUE(std::holds_alternative<Misuse>(typed({""})));
}

TEST(Verbs, HelpIsShownWhereItIsAskedFor) {
  EXPECT_EQ(std::get<Show>(typed({"--help"})).text, std::get<Show>(typed({"help"})).text);
  EXPECT_NE(std::get<Show>(typed({"simulate", "--help"})).text.find("protocol"), std::string::npos);
  EXPECT_NE(std::get<Show>(typed({"privacy", "--help"})).text.find("ledger"), std::string::npos);
  EXPECT_EQ(std::get<Show>(typed({"--version"})).text.substr(0, 8), "freshet ");
}

// The lines of the help fit a terminal of 100 columns.
TEST(Verbs, HelpFitsATerminal) {
  std::string help = std::get<Show>(typed({"--help"})).text;
  for (std::size_t at = 0; at < help.size();) {
    std::size_t end = help.find('\n', at);
    EXPECT_LE(end - at, 100u) << help.substr(at, end - at);
    at = end + 1;
  }
}

struct Ran {
  int code;
  std::string output;  // both streams
};

Ran run(const std::string& arguments) {
  const char* folder = std::getenv("FRESHET_BIN");
  CHECK(folder != nullptr, "run this test through ctest");
  std::FILE* pipe = popen((std::string(folder) + "/freshet " + arguments + " 2>&1").c_str(), "r");
  CHECK(pipe != nullptr);
  Ran ran{};
  char buffer[4096];
  while (std::size_t got = std::fread(buffer, 1, sizeof buffer, pipe))
    ran.output.append(buffer, got);
  int status = pclose(pipe);
  ran.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return ran;
}

TEST(Dispatcher, AnswersWithTheDocumentedExitCodes) {
  EXPECT_EQ(run("--help").code, 0);
  EXPECT_EQ(run("--version").code, 0);
  EXPECT_EQ(run("").code, 2);
  Ran unknown = run("campain");
  EXPECT_EQ(unknown.code, 2);
  EXPECT_NE(unknown.output.find("campaign"), std::string::npos);
}

}  // namespace
}  // namespace freshet
