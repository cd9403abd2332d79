#include "base/process_limits.h"

#include <malloc.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <string>
#include <system_error>

#include "base/files.h"

namespace freshet {
namespace {

constexpr std::size_t kMapsBytesMax = 1 << 20;

Result<void> lower(__rlimit_resource which, const char* name, std::uint64_t to) {
  if (to == 0) return {};
  rlimit limit{};
  bool done = ::getrlimit(which, &limit) == 0;
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_cur, to);
  done = done && ::setrlimit(which, &limit) == 0;
  if (done) return {};
  return fail(Code::kRefused, std::string("cannot limit this process's ") + name + ": " +
                                  std::generic_category().message(errno));
}

}  // namespace

// A threshold that is set stays: by itself it rises with what is freed, to 32 MiB.
void keep_heap_small() {
  ::mallopt(M_ARENA_MAX, 1);
  ::mallopt(M_MMAP_THRESHOLD, 128 * 1024);
  ::mallopt(M_TRIM_THRESHOLD, 128 * 1024);
}

void give_back_memory() {
  ::malloc_trim(0);
  const auto maps = read_file("/proc/self/maps", kMapsBytesMax);
  if (!maps) return;
  std::string_view rest = *maps;
  while (!rest.empty()) {
    const std::string line(rest.substr(0, rest.find('\n')));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    std::uintptr_t begin = 0, end = 0;
    unsigned long inode = 0;
    // Code alone: other pages of a file may have been written to before they became read-only.
    if (std::sscanf(line.c_str(), "%zx-%zx r-xp %*x %*s %lu", &begin, &end, &inode) == 3 &&
        inode != 0)
      ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
  }
}

Result<void> limit_process(const ProcessLimits& limits) {
  TRY(lower(RLIMIT_NOFILE, "open files", limits.open_files));
#ifdef __SANITIZE_ADDRESS__  // its shadow alone is more
  return {};
#else
  return lower(RLIMIT_DATA, "memory", limits.memory_bytes);
#endif
}

}  // namespace freshet
