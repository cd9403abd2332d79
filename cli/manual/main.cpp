#include <fmt/format.h>

#include "base/exit_code.h"
#include "base/files.h"
#include "base/flags.h"
#include "cli/help.h"
#include "cli/manual/completion.h"
#include "cli/manual/pages.h"

namespace freshet {
namespace {

Result<void> complete(const std::string& shell) {
  TRY_ASSIGN(const CommandText root, all_commands());
  fmt::print("{}", shell == "zsh" ? zsh_completion(root) : bash_completion(root));
  return {};
}

Result<void> write_pages(const std::string& folder) {
  TRY_ASSIGN(const CommandText root, all_commands());
  TRY(make_folders(folder, 0755));
  std::string version(version_line());
  while (!version.empty() && version.back() == '\n') version.pop_back();
  for (const auto& [name, text] : man_pages(root, version)) {
    TRY(write_file_durably(Path(folder) / name, as_bytes(text)));
    fmt::print("{}\n", (Path(folder) / name).string());
  }
  return {};
}

int main_of(int argc, char** argv) {
  std::string shell, folder;
  Command app("Help of another form: for the Tab key, and for man.", "freshet");
  app.require_subcommand();
  Command* completion =
      app.add_subcommand("completion", "Print a script that completes freshet's words and flags");
  completion->add_option("SHELL", shell, "bash or zsh")->required()->one_of({"bash", "zsh"});
  completion->footer("Example:\n  eval \"$(freshet completion bash)\"");
  Command* manual = app.add_subcommand("manual", "Write man pages, one for each verb");
  manual->add_option("FOLDER", folder, "Where to; `man -l FOLDER/freshet.1` reads one")->required();
  if (const auto over = app.parse(argc, argv)) return *over;
  const Result<void> done = completion->given() ? complete(shell) : write_pages(folder);
  return done ? 0 : report(done.error());
}

}  // namespace
}  // namespace freshet

int main(int argc, char** argv) { return freshet::main_of(argc, argv); }
