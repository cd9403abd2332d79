#pragma once
// A copy of a daemon's folder, whole and checked: every file with its digest in a list, verified
// before anything is put back.

#include <cstdint>
#include <string>

#include "base/files.h"

namespace freshet {

struct Copied {
  std::uint64_t files = 0, bytes = 0;
};

// Copies a coordinator's or an authority's folder to `to`, which must not exist; durable and
// complete when this returns, and not there otherwise. kUnavailable while its daemon runs. A node's
// folder is refused: put back, it would spend its privacy budget and its contributions twice.
Result<Copied> back_up(const Path& folder, const Path& to);

// The other way round. kCorrupt where a file is missing, changed or new; nothing is written then.
Result<Copied> restore(const Path& backup, const Path& folder);

}  // namespace freshet
