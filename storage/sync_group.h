#pragma once
// Files and folders that are written and not yet durable. One commit() makes all of them durable,
// side by side: a disk takes hardly longer for sixteen of them than for one. What rests on them may
// be written down only afterwards.

#include <set>
#include <vector>

#include "base/files.h"

namespace freshet {

class SyncGroup {
 public:
  void add(UniqueFd file);              // its bytes
  void add_folder(const Path& folder);  // its names
  bool empty() const { return files_.empty() && folders_.empty(); }
  // Empty afterwards. After an error none of it may be believed.
  Result<void> commit();

 private:
  std::vector<UniqueFd> files_;
  std::set<Path> folders_;
};

}  // namespace freshet
