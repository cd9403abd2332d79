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

// For a process that lives long and rarely needs much: one heap for all its threads, and what is
// large goes back to the system when it is freed. Before the first thread.
void keep_heap_small();
// What is free in the heap goes back now; so do pages of programs and libraries, which come again
// from the page cache as they are used.
void give_back_memory();

// Never raises a limit. kRefused where the system does not let it lower one.
Result<void> limit_process(const ProcessLimits& limits);

}  // namespace freshet
