#include "crypto/private_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace freshet {
namespace {

// Group-readable is let through only where root made the file for another user: a systemd
// credential carries an access list whose mask shows as group bits.
bool open_to_others(const struct stat& info) {
  const mode_t allowed = info.st_uid == 0 && ::geteuid() != 0 ? 0740 : 0700;
  return (info.st_mode & 0777 & ~allowed) != 0;
}

}  // namespace

Result<std::optional<Secret>> read_private_file(const Path& path, std::size_t bytes_max) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd && errno == ENOENT) return std::optional<Secret>();
  if (!fd) return tl::unexpected(errno_error("cannot open", path));
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return tl::unexpected(errno_error("cannot inspect", path));
  if (!S_ISREG(info.st_mode)) return fail(Code::kRefused, path.string() + ": not a regular file");
  if (open_to_others(info))
    return fail(Code::kRefused,
                path.string() + " is open to other users; take it back with `chmod 600 " +
                    path.string() + "` and, if they may have read it, make a new identity");
  if (static_cast<std::size_t>(info.st_size) > bytes_max)
    return fail(Code::kCorrupt,
                path.string() + " is too large for a key file; restore it from a backup");
  Secret content(static_cast<std::size_t>(info.st_size));
  for (std::size_t got = 0; got < content.view().size();) {
    const ssize_t count =
        ::read(fd.get(), content.writable().data() + got, content.view().size() - got);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return tl::unexpected(errno_error("cannot read", path));
    if (count == 0)
      return fail(Code::kCorrupt, path.string() + " became shorter while it was read; start again");
    got += static_cast<std::size_t>(count);
  }
  return content;
}

}  // namespace freshet
