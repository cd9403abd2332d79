#pragma once
// What a node knows of its own text files, in its own folder (text.json): when it first saw each
// and in how many trainings it was. What is no longer there is forgotten after a while.

#include <map>
#include <string>

#include "base/files.h"

namespace freshet {

struct SeenFile {
  std::int64_t first_s = 0, last_s = 0;  // since 1970, when it was seen
  std::uint64_t bytes = 0;
  std::uint64_t trainings = 0;
  std::string left_out;  // why it is not used; empty: it is
};
using SeenFiles = std::map<std::string, SeenFile>;  // by path

Result<SeenFiles> load_seen(const Path& folder);  // the node's; empty where nothing was seen yet
Result<void> save_seen(const Path& folder, const SeenFiles& files);
std::string to_text(const SeenFiles& files);  // a table, for people

}  // namespace freshet
