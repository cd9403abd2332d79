#pragma once
// What this process may take of the machine, whatever goes wrong in it. Soft limits: a process that
// it starts may have others, up to the hard ones that were there before.

#include <cstdint>

#include "base/result.h"

namespace freshet {

struct ProcessLimits {
  std::uint64_t open_files = 0;    // 0: as it was
  std::uint64_t memory_bytes = 0;  // of memory that it writes to; mapped files do not count
};

// Never raises a limit. kRefused where the system does not let it lower one.
Result<void> limit_process(const ProcessLimits& limits);

}  // namespace freshet
