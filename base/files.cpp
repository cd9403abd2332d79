#include "base/files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "base/crash_point.h"

namespace freshet {

void UniqueFd::reset() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  if (this != &other) std::swap(view_, other.view_);
  return *this;
}

MappedFile::~MappedFile() {
  if (!view_.empty()) ::munmap(const_cast<std::uint8_t*>(view_.data()), view_.size());
}

Result<MappedFile> MappedFile::of(const UniqueFd& fd, std::string_view name) {
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return tl::unexpected(errno_error("cannot inspect", Path(name)));
  if (!S_ISREG(info.st_mode)) return fail(Code::kBadInput, std::string(name) + ": not a regular file");
  MappedFile mapped;
  if (info.st_size == 0) return mapped;
  const auto size = static_cast<std::size_t>(info.st_size);
  void* start = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd.get(), 0);
  if (start == MAP_FAILED) return tl::unexpected(errno_error("cannot map", Path(name)));
  mapped.view_ = {static_cast<const std::uint8_t*>(start), size};
  return mapped;
}

Result<MappedFile> MappedFile::open(const Path& path) {
  TRY_ASSIGN(UniqueFd fd, open_for_reading(path));
  return of(fd, path.string());
}

Error errno_error(std::string_view what, const Path& path) {
  const int number = errno;
  Code code = Code::kBadInput;
  if (number == ENOSPC || number == EDQUOT || number == ENOMEM || number == EFBIG) code = Code::kNoSpace;
  if (number == EACCES || number == EPERM || number == EROFS) code = Code::kRefused;
  if (number == EADDRINUSE || number == EAGAIN) code = Code::kUnavailable;
  std::string text = std::string(what) + " " + path.string() + ": " + std::generic_category().message(number);
  if (code == Code::kNoSpace) text += " (free some space and start again; nothing written before is lost)";
  return {code, std::move(text)};
}

Result<UniqueFd> open_for_reading(const Path& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return tl::unexpected(errno_error("cannot open", path));
  return fd;
}

Result<std::string> read_all(int fd, std::string_view name, std::size_t bytes_max) {
  std::string text;
  char buffer[64 * 1024];
  for (;;) {
    ssize_t got = ::read(fd, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return tl::unexpected(errno_error("cannot read", Path(name)));
    if (got == 0) return text;
    if (text.size() + static_cast<std::size_t>(got) > bytes_max)
      return fail(Code::kBadInput, std::string(name) + ": larger than the " + std::to_string(bytes_max) + " bytes allowed");
    text.append(buffer, static_cast<std::size_t>(got));
  }
}

Result<std::string> read_file(const Path& path, std::size_t bytes_max) {
  TRY_ASSIGN(UniqueFd fd, open_for_reading(path));
  return read_all(fd.get(), path.string(), bytes_max);
}

Result<void> write_all(int fd, ByteView bytes, const Path& name) {
  while (!bytes.empty()) {
    ssize_t put = ::write(fd, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return tl::unexpected(errno_error("cannot write", name));
    bytes = bytes.subspan(static_cast<std::size_t>(put));
  }
  return {};
}

namespace {

Result<void> replace(const Path& path, ByteView bytes, int mode, bool durably) {
  const Path temporary = path.string() + ".tmp" + std::to_string(::getpid());
  {
    ::unlink(temporary.c_str());  // of an earlier process with this number; its mode may be another
    UniqueFd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
    if (!fd) return tl::unexpected(errno_error("cannot create", temporary));
    Result<void> written = write_all(fd.get(), bytes, temporary);
    crash_point("file written");
    if (written && durably && ::fsync(fd.get()) != 0) written = tl::unexpected(errno_error("cannot sync", temporary));
    if (!written) {
      ::unlink(temporary.c_str());
      return written;
    }
  }
  crash_point("file synced");
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    Error error = errno_error("cannot rename to", path);
    ::unlink(temporary.c_str());
    return tl::unexpected(std::move(error));
  }
  return {};
}

}  // namespace

Result<void> replace_file(const Path& path, ByteView bytes, int mode) { return replace(path, bytes, mode, false); }

Result<void> write_file_durably(const Path& path, ByteView bytes, int mode) {
  const Path folder = path.has_parent_path() ? path.parent_path() : Path(".");
  TRY(replace(path, bytes, mode, true));
  crash_point("file named");
  UniqueFd folder_fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder_fd || ::fsync(folder_fd.get()) != 0) return tl::unexpected(errno_error("cannot sync", folder));
  crash_point("file durable");
  return {};
}

Result<void> make_folders(const Path& path, int mode) {
  if (!path.has_filename() && path.has_parent_path() && path != path.parent_path())
    return make_folders(path.parent_path(), mode);  // a/b/ is a/b
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return {};
  if (path.has_parent_path() && path != path.parent_path()) TRY(make_folders(path.parent_path(), 0755));
  if (::mkdir(path.c_str(), static_cast<mode_t>(mode)) == 0) return {};
  if (errno == EEXIST && std::filesystem::is_directory(path, error)) return {};
  return tl::unexpected(errno_error("cannot create folder", path));
}

Result<UniqueFd> lock_folder(const Path& folder) {
  const Path path = folder / "lock";
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) return tl::unexpected(errno_error("cannot open", path));
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return fd;
  if (errno != EWOULDBLOCK) return tl::unexpected(errno_error("cannot lock", path));
  return fail(Code::kUnavailable, folder.string() + ": another process is running in this folder; stop it or use another --dir");
}

Path binary_folder() {
  std::error_code error;
  Path self = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? Path(".") : self.parent_path();
}

}  // namespace freshet
