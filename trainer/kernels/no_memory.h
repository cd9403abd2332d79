#pragma once
// What happens where the machine has no memory for a computation.

#include <cstddef>

namespace freshet {

// Throws std::bad_alloc. In a parallel region, which nothing may be thrown out of, it says so on
// standard error and ends the process with ExitCode::kNoSpace, as a program does that catches it.
// `bytes` 0: not known.
[[noreturn]] void no_memory(std::size_t bytes);

// The same for whatever new has no memory for.
void end_where_new_has_no_memory();

}  // namespace freshet
