#pragma once
// Paths that a node's owner had forgotten: nothing at or below them is ever trained on again, nor
// the same files under another name (a file is known by device, inode, size and time of change of
// its bytes). A list in a folder of its own, so that the command works beside a node that runs.

#include <string>
#include <vector>

#include "base/files.h"

namespace freshet {

struct FileMark {  // of one file, whatever it is called
  std::uint64_t device = 0, inode = 0, bytes = 0;
  std::int64_t modified_ns = 0;
  auto operator<=>(const FileMark&) const = default;
};
Result<FileMark> mark_of(const UniqueFd& fd, const Path& name);

class Forgotten {
 public:
  // `folder`: the node's.
  static Result<Forgotten> load(const Path& folder);
  // Adds a path, which need not exist any more. kUnavailable: another such command runs.
  static Result<void> add(const Path& folder, const Path& path);
  // Rises with every add(); 0 where nothing was forgotten yet. Takes one look at the disk.
  static std::int64_t state_of(const Path& folder);

  bool covers(const Path& path, const FileMark& mark) const;
  const std::vector<std::string>& paths() const { return paths_; }

 private:
  std::vector<std::string> paths_;  // absolute
  std::vector<FileMark> marks_;     // sorted
};

// As both lists know it: absolute, without "." and "..".
Path known_path(const Path& path);

}  // namespace freshet
