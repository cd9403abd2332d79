#include "base/process_limits.h"

#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <system_error>

namespace freshet {
namespace {

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

Result<void> limit_process(const ProcessLimits& limits) {
  TRY(lower(RLIMIT_NOFILE, "open files", limits.open_files));
#ifdef __SANITIZE_ADDRESS__  // its shadow alone is more
  return {};
#else
  return lower(RLIMIT_DATA, "memory", limits.memory_bytes);
#endif
}

}  // namespace freshet
