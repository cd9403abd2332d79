#pragma once
// The disk under a process of a test, which may lose what was not synced, be full, refuse writes or
// fail to sync. The test program's own write(), fsync(), rename() and others stand before libc's
// for every library in it, so a journal of RocksDB is under it as our own files are. Before arm()
// they do nothing but what they are called.

#include <string>
#include <string_view>

#include "base/files.h"

namespace freshet::chaos {

enum class Fault : std::uint8_t {
  kKill,        // SIGKILL at the n-th crash point
  kPowerLoss,   // the same, and what was not synced is gone
  kFailedSync,  // the n-th sync fails, and what it was about is lost with the power at the next one
  kFullDisk,    // from the n-th write on, for a while
  kReadOnly,    // from the n-th write on, until the process ends
};
std::string_view name_of(Fault fault);

struct Trap {
  Fault fault = Fault::kKill;
  int at = 1;  // from 1
  Path root;   // of what the process writes
  Path stash;  // empty folder on the same file system
};

// Once in a process. The first thing that goes wrong is told by fired(), in the parent, too.
void arm(const Trap& trap);

// Shared with processes forked later.
class Fired {
 public:
  Fired();  // also forgets what was before
  bool any() const;
  std::string where() const;  // the name of the point
};

}  // namespace freshet::chaos
