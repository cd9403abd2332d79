#pragma once
// How much memory this process may still take: of the machine, and of the control groups
// (containers, services) that it stands in, whose limit ends a process that goes over it.

#include <cstdint>
#include <limits>
#include <string_view>

#include "base/files.h"

namespace freshet {

inline constexpr std::uint64_t kNoLimit = std::numeric_limits<std::uint64_t>::max();

// Files that a group keeps cached count as taken, so this is rather too little than too much.
std::uint64_t free_memory();

// What the groups leave, of both versions of the interface: `groups` is the text of
// /proc/self/cgroup, `root` stands for /sys/fs/cgroup. kNoLimit where no group has a limit; 0 where
// one has and it cannot be told how much of it is taken.
std::uint64_t free_in_groups(std::string_view groups, const Path& root);

}  // namespace freshet
