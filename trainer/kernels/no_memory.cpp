#include "trainer/kernels/no_memory.h"

#include <omp.h>

#include <cstdio>
#include <cstdlib>
#include <new>

#include "base/exit_code.h"

namespace freshet {

void no_memory(std::size_t bytes) {
  // The level counts regions of one thread too.
  if (omp_get_level() == 0) throw std::bad_alloc();
  std::fputs("freshet: this machine has no memory ", stderr);
  if (bytes > 0)
    std::fprintf(stderr, "for another %zu bytes", bytes);
  else
    std::fputs("for more", stderr);
  std::fputs(": take a smaller batch, window or model\n", stderr);
  std::_Exit(static_cast<int>(ExitCode::kNoSpace));
}

void end_where_new_has_no_memory() {
  std::set_new_handler([] { no_memory(0); });
}

}  // namespace freshet
