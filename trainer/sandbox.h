#pragma once
// Shuts the trainer in: from here on it computes over the descriptors it holds and receives, and
// can neither reach a network, open a path, start a program nor look into another process, whatever
// a model file or a text makes it do.

#include "base/result.h"

namespace freshet {

struct Sandbox {
  bool landlock =
      false;  // the kernel had it; the seccomp filter denies all paths with or without it
};

// For all threads of the process, for good: no core dump, not dumpable, no new privileges, Landlock
// without any path, and an allow-list of system calls; others fail with EACCES (ENOSYS where a
// library has a fallback), so that libraries that probe go on softly. Call it after the libraries
// have read what they need; threads may still be made afterwards. kUnavailable where the kernel has
// no seccomp: the trainer must not go on then.
Result<Sandbox> enter_sandbox();

}  // namespace freshet
