#include <fmt/format.h>

#include <cstdio>

#include "base/exit_code.h"
#include "base/flags.h"
#include "cli/doctor/finding.h"
#include "cli/help.h"

namespace freshet::doctor {
namespace {

int main_of(int argc, char** argv) {
  std::string folder;
  std::vector<std::string> listens, peers;
  bool json = false;
  Command app(
      "Looks at what Freshet needs of a machine, and says what to do where it is not good. With "
      "--dir also at the folder "
      "of a daemon.",
      "freshet doctor");
  app.add_option("--dir", folder, "Folder of a coordinator, node or authority")->type_name("DIR");
  app.add_option("--listen", listens,
                 "tcp://HOST:PORT that a daemon is to listen at; may be given again");
  app.add_option("--connect", peers,
                 "tcp://HOST:PORT of an authority or coordinator; may be given again");
  app.add_flag("--json", json, "One JSON object");
  app.footer(
      "Example:\n  freshet doctor --dir node --connect tcp://cloud.example:7400\n\nExit code 5 "
      "where something is bad.");
  if (const auto over = app.parse(argc, argv)) return *over;
  std::string version(version_line());
  version.erase(version.find_last_not_of('\n') + 1);
  Findings findings{{"version", version, State::kGood, ""}};
  for (Finding& each : look_at_machine()) findings.push_back(std::move(each));
  if (!folder.empty())
    for (Finding& each : look_at_folder(folder)) findings.push_back(std::move(each));
  for (const std::string& address : listens) findings.push_back(look_at_port(address));
  for (const std::string& address : peers) findings.push_back(look_at_peer(address));
  if (json) {
    fmt::print("{}\n", to_text(to_json(findings)));
  } else {
    for (const Finding& each : findings) fmt::print("{}\n", to_line(each));
  }
  return any_bad(findings) ? static_cast<int>(ExitCode::kUnavailable) : 0;
}

}  // namespace
}  // namespace freshet::doctor

int main(int argc, char** argv) { return freshet::doctor::main_of(argc, argv); }
