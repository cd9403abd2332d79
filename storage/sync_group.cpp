#include "storage/sync_group.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <thread>

#include "base/crash_point.h"

namespace freshet {
namespace {

constexpr std::size_t kThreadsMax = 8;

}  // namespace

void SyncGroup::add(UniqueFd file) { files_.push_back(std::move(file)); }

void SyncGroup::add_folder(const Path& folder) { folders_.insert(folder); }

Result<void> SyncGroup::commit() {
  std::vector<UniqueFd> all = std::exchange(files_, {});
  for (const Path& folder : std::exchange(folders_, {})) {
    all.emplace_back(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!all.back()) return tl::unexpected(errno_error("cannot sync", folder));
  }
  if (all.empty()) return {};
  crash_point("group written");
  std::atomic<std::size_t> next = 0;
  std::atomic<int> error = 0;
  const auto work = [&] {
    for (std::size_t i = next++; i < all.size(); i = next++)
      if (::fsync(all[i].get()) != 0) error = errno;
  };
  std::vector<std::jthread> others;
  for (std::size_t i = 1; i < std::min(all.size(), kThreadsMax); ++i) others.emplace_back(work);
  work();
  others.clear();
  errno = error;
  if (error != 0) return tl::unexpected(errno_error("cannot sync", "what was just written"));
  crash_point("group durable");
  return {};
}

}  // namespace freshet
