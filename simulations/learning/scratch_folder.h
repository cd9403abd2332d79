#pragma once
// A fresh folder under the system's temporary one, removed with everything in it.

#include "base/files.h"

namespace freshet {

class ScratchFolder {
 public:
  static Result<ScratchFolder> make();
  ScratchFolder(ScratchFolder&& other) noexcept : path_(std::exchange(other.path_, Path())) {}
  ScratchFolder& operator=(ScratchFolder&&) = delete;
  ~ScratchFolder();
  const Path& path() const { return path_; }

 private:
  explicit ScratchFolder(Path path) : path_(std::move(path)) {}
  Path path_;
};

}  // namespace freshet
