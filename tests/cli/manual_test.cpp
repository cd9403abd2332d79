// Completion as bash itself runs it, and man pages, of what the programs say about themselves.

#include <gtest/gtest.h>

#include "base/check.h"
#include "base/files.h"
#include "base/flags.h"
#include "cli/manual/completion.h"
#include "cli/manual/pages.h"
#include "tests/temp_folder.h"

namespace freshet {
namespace {

CommandText toy() {
  std::string folder, kind, file;
  bool json = false;
  Command app("Does toy things.\nAnd more.", "freshet toy");
  app.require_subcommand();
  Command* run = app.add_subcommand("run", "Run it");
  run->add_option("--dir", folder, "Where")->required()->type_name("DIR");
  run->add_option("--kind", kind, "Which")->one_of({"red", "green"});
  run->add_flag("--json", json, "As JSON: a \\ and a -");
  run->add_option("FILE", file, ".what to run")->required();
  CommandText root{"freshet", "The toys", "", {}, {}, {}};
  root.commands.push_back(command_text(app.described()).value());
  root.commands[0].name = "toy";
  return root;
}

// What bash would offer for the last of the words, with a space between the offers.
std::string offered(const std::string& words) {
  const TempFolder place;
  const Path script = place.path() / "complete.bash";
  CHECK(write_file_durably(script, as_bytes(bash_completion(toy()))));
  const std::string command =
      "bash -c 'source " + script.string() + "; COMP_WORDS=(" + words +
      "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _freshet; echo \"${COMPREPLY[*]}\"'";
  std::FILE* pipe = ::popen(command.c_str(), "r");
  char line[4096] = {};
  const bool read = std::fgets(line, sizeof line, pipe) != nullptr;
  EXPECT_EQ(::pclose(pipe), 0);
  std::string text = read ? line : "";
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

TEST(Manual, BashOffersVerbsFlagsAndValues) {
  EXPECT_EQ(offered("freshet \"\""), "toy");
  EXPECT_EQ(offered("freshet toy r"), "run");
  EXPECT_EQ(offered("freshet toy run --j"), "--json");
  EXPECT_EQ(offered("freshet toy run --kind \"\""), "red green");
  EXPECT_EQ(offered("freshet toy run --kind g"), "green");
  EXPECT_EQ(offered("freshet toy run --dir \"\""), "") << "folders are the shell's";
  EXPECT_EQ(offered("freshet toy run --json --k"), "--kind");
}

TEST(Manual, PagesSayWhatTheProgramSays) {
  const auto pages = man_pages(toy(), "freshet 9");
  ASSERT_EQ(pages.size(), 2u);
  EXPECT_EQ(pages[0].first, "freshet-toy.1");
  EXPECT_EQ(pages[1].first, "freshet.1");
  const std::string& page = pages[0].second;
  EXPECT_NE(page.find("freshet\\-toy \\- Does toy things\n"), std::string::npos) << page;
  EXPECT_NE(page.find(".SS \"freshet toy run\""), std::string::npos) << page;
  EXPECT_NE(page.find("\\fB\\-\\-dir\\fR \\fIDIR\\fR\nWhere. Required"), std::string::npos) << page;
  EXPECT_NE(page.find("One of red, green"), std::string::npos) << page;
  EXPECT_NE(page.find("a \\e and a \\-"), std::string::npos) << page;
  EXPECT_NE(page.find("\n\\&.what to run"), std::string::npos) << page;
}

TEST(Manual, AnythingElseIsNoDescription) {
  EXPECT_EQ(command_text("{}").error().code, Code::kCorrupt);
  EXPECT_EQ(command_text("{\"name\": 3}").error().code, Code::kCorrupt);
  EXPECT_FALSE(command_text("Usage: ...").has_value());
}

}  // namespace
}  // namespace freshet
