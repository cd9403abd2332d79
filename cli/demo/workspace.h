#pragma once
// The folder of a demo. It is made afresh on every run, and only ever if the demo made it before: a
// marker file says so.

#include "base/files.h"
#include "base/result.h"

namespace freshet::demo {

// An empty folder with the marker, absolute. kRefused for a folder that holds anything and has no
// marker; kUnavailable while another demo runs in it.
class Workspace {
 public:
  static Result<Workspace> open(const Path& dir);
  const Path& folder() const { return folder_; }

 private:
  Workspace(Path folder, UniqueFd lock) : folder_(std::move(folder)), lock_(std::move(lock)) {}
  Path folder_;
  UniqueFd lock_;
};

}  // namespace freshet::demo
