#include "trainer/transformer/free_memory.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/limits.h"

namespace freshet {
namespace {

constexpr std::size_t kBytesMax = 64 * limits::kKiB;
constexpr std::size_t kGroupsMax = 64;  // inside one another

// A number, kNoLimit for "max", nothing for anything else.
std::optional<std::uint64_t> number_in(std::string_view text) {
  while (text.ends_with('\n')) text.remove_suffix(1);
  if (text == "max") return kNoLimit;
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

struct Interface {
  const char *limit, *taken;
};

std::uint64_t free_in_group(const Path& group, const Interface& interface) {
  std::error_code error;
  if (!std::filesystem::exists(group / interface.limit, error)) return error ? 0 : kNoLimit;
  const Result<std::string> limit_text = read_file(group / interface.limit, kBytesMax);
  const auto limit = limit_text ? number_in(*limit_text) : std::nullopt;
  if (!limit) return 0;
  if (*limit == kNoLimit) return kNoLimit;
  const Result<std::string> taken_text = read_file(group / interface.taken, kBytesMax);
  const auto taken = taken_text ? number_in(*taken_text) : std::nullopt;
  return taken ? *limit - std::min(*limit, *taken) : 0;
}

// Every group around this one limits it as well. In a container the path may be one of the host's,
// where nothing stands here: then what stands at the root is the container's own.
std::uint64_t free_in_path(std::string_view path, const Path& root, const Interface& interface) {
  std::uint64_t free = free_in_group(root, interface);
  Path group = root;
  std::size_t depth = 0;
  for (const Path& name : Path(path).relative_path()) {
    if (name == ".." || ++depth > kGroupsMax) return free;
    group /= name;
    free = std::min(free, free_in_group(group, interface));
  }
  return free;
}

bool names_memory(std::string_view controllers) {
  while (!controllers.empty()) {
    const std::string_view name = controllers.substr(0, controllers.find(','));
    if (name == "memory") return true;
    controllers.remove_prefix(std::min(name.size() + 1, controllers.size()));
  }
  return false;
}

}  // namespace

std::uint64_t free_in_groups(std::string_view groups, const Path& root) {
  std::uint64_t free = kNoLimit;
  while (!groups.empty()) {
    const std::string_view line = groups.substr(0, groups.find('\n'));  // ID:CONTROLLERS:PATH
    groups.remove_prefix(std::min(line.size() + 1, groups.size()));
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string_view::npos || second == std::string_view::npos) continue;
    const std::string_view controllers = line.substr(first + 1, second - first - 1);
    const std::string_view path = line.substr(second + 1);
    if (controllers.empty())
      free = std::min(free, free_in_path(path, root, {"memory.max", "memory.current"}));
    if (names_memory(controllers))
      free = std::min(free, free_in_path(path, root / "memory",
                                         {"memory.limit_in_bytes", "memory.usage_in_bytes"}));
  }
  return free;
}

std::uint64_t free_memory() {
  const long pages = ::sysconf(_SC_AVPHYS_PAGES), bytes = ::sysconf(_SC_PAGESIZE);
  if (pages <= 0 || bytes <= 0) return 0;
  const std::uint64_t of_machine =
      static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(bytes);
  const Path own = "/proc/self/cgroup";
  std::error_code error;
  if (!std::filesystem::exists(own, error) && !error) return of_machine;  // a kernel without groups
  const Result<std::string> groups = read_file(own, kBytesMax);
  return groups ? std::min(of_machine, free_in_groups(*groups, "/sys/fs/cgroup")) : 0;
}

}  // namespace freshet
