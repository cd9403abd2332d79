// freshet-backup: `freshet backup` and `freshet restore`.

#include <fmt/core.h>

#include <string>

#include "base/exit_code.h"
#include "base/flags.h"
#include "cli/backup/backup.h"

namespace freshet {
namespace {

int main_of(int argc, char** argv) {
  std::string from, to;
  Command app{"Copies of a coordinator's or an authority's folder.", "freshet"};
  app.require_subcommand();
  Command* backup = app.add_subcommand(
      "backup", "Copy the folder of a coordinator or an authority that does not run");
  backup->add_option("DIR", from, "The daemon's folder")->required();
  backup->add_option("TO", to, "A folder that is not there yet; it will hold secret keys")
      ->required();
  Command* back = app.add_subcommand(
      "restore", "Put a backup back as a daemon's folder, once every file of it is verified");
  back->add_option("FROM", from, "What `freshet backup` made")->required();
  back->add_option("DIR", to, "The daemon's folder, which is not there yet")->required();
  if (const auto over = app.parse(argc, argv)) return *over;
  const bool backs_up = app.typed() == "backup";
  const auto copied = backs_up ? back_up(from, to) : restore(from, to);
  if (!copied) return report(copied.error());
  fmt::print("{} files, {:.1f} MB {} {}\n", copied->files, static_cast<double>(copied->bytes) / 1e6,
             backs_up ? "backed up to" : "restored to", to);
  return 0;
}

}  // namespace
}  // namespace freshet

int main(int argc, char** argv) { return freshet::main_of(argc, argv); }
