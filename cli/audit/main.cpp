// freshet-audit: `freshet audit show` and `freshet audit verify`.

#include <fmt/chrono.h>
#include <fmt/core.h>

#include "base/exit_code.h"
#include "base/flags.h"
#include "base/json.h"
#include "storage/audit_log.h"

namespace freshet {
namespace {

struct Options {
  std::string folder, campaign, head;
  bool json = false;
};

std::string line_of(const Json& entry) {
  const auto at = static_cast<std::time_t>(entry.value("at", std::int64_t{0}));
  std::string line = fmt::format("{:%Y-%m-%d %H:%M:%S}Z  {}  {}", fmt::gmtime(at),
                                 entry.value("who", "?"), entry.value("what", "?"));
  const Json about = entry.value("about", Json::object());
  for (const auto& [key, value] : about.items())
    line +=
        fmt::format("  {} {}", key, value.is_string() ? value.get<std::string>() : to_text(value));
  return line;
}

Result<int> run(const Options& options, bool show) {
  std::optional<Digest> noted;
  if (!options.head.empty()) {
    TRY_ASSIGN(const Digest head, digest_from_hex(options.head));
    noted = head;
  }
  TRY_ASSIGN(const AuditSummary found, verify_audit(options.folder, noted, [&](const Json& entry) {
               if (!show) return;
               const std::string of = entry.value("about", Json::object()).value("campaign", "");
               if (!options.campaign.empty() && of != options.campaign) return;
               fmt::print("{}\n", options.json ? to_text(entry) : line_of(entry));
             }));
  if (show) return 0;
  if (options.json) {
    fmt::print("{}\n", to_text(Json{{"entries", found.entries}, {"head", to_hex(found.head)}}));
  } else {
    fmt::print("{} entries, none changed, left out or put in{}\nhead {}\n", found.entries,
               noted ? ", and the head noted earlier is among theirs" : "", to_hex(found.head));
  }
  return 0;
}

int main_of(int argc, char** argv) {
  Options options;
  Command app("Who decided what and when, as a coordinator wrote it down.", "freshet audit");
  app.require_subcommand();
  Command* show = app.add_subcommand("show", "Print the entries, oldest first");
  Command* verify =
      app.add_subcommand("verify", "Check that no entry was changed, left out or put in");
  for (Command* verb : {show, verify}) {
    verb->add_option("--dir", options.folder, "Folder of the coordinator")
        ->required()
        ->type_name("DIR");
    verb->add_flag("--json", options.json, "One JSON object a line");
  }
  show->add_option("--campaign", options.campaign, "Only what concerns this one");
  verify->add_option("--head", options.head,
                     "A head that was noted earlier, off this machine: shows whether the end was "
                     "cut off since");
  if (const auto over = app.parse(argc, argv)) return *over;
  auto done = run(options, show->given());
  if (done) return *done;
  fmt::print(stderr, "freshet: {}\n", done.error().what);
  return static_cast<int>(exit_code_of(done.error().code));
}

}  // namespace
}  // namespace freshet

int main(int argc, char** argv) { return freshet::main_of(argc, argv); }
