#pragma once
// Descriptors and whole files, with errors that name the path. Writing a file that matters: write_file_durably.

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

#include "base/bytes.h"
#include "base/result.h"

namespace freshet {

using Path = std::filesystem::path;

// Owns one descriptor.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) {
      reset();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  ~UniqueFd() { reset(); }
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }
  void reset();

 private:
  int fd_ = -1;
};

// A read-only mapping of a whole regular file; empty files map to an empty view.
class MappedFile {
 public:
  static Result<MappedFile> of(const UniqueFd& fd, std::string_view name);
  static Result<MappedFile> open(const Path& path);
  MappedFile() = default;
  MappedFile(MappedFile&& other) noexcept : view_(std::exchange(other.view_, {})) {}
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();
  ByteView view() const { return view_; }

 private:
  ByteView view_;
};

// The errno of the last call as an Error: ENOSPC -> kNoSpace, EACCES -> kRefused, others -> kBadInput.
Error errno_error(std::string_view what, const Path& path);

Result<UniqueFd> open_for_reading(const Path& path);
Result<std::string> read_file(const Path& path, std::size_t bytes_max);
Result<std::string> read_all(int fd, std::string_view name, std::size_t bytes_max);
Result<void> write_all(int fd, ByteView bytes, const Path& name);

// Temporary file beside it, fsync, rename, fsync of the folder: after an Ok the old or the new content is there, whole.
Result<void> write_file_durably(const Path& path, ByteView bytes, int mode = 0644);

// The same for what can be made again: nothing waits for the disk, and after a loss of power the file may be torn.
Result<void> replace_file(const Path& path, ByteView bytes, int mode = 0644);

// Holds `folder` for one process as long as the descriptor lives; kUnavailable when another has it.
Result<UniqueFd> lock_folder(const Path& folder);

Result<void> make_folders(const Path& path, int mode = 0755);

// The folder that holds the running binary.
Path binary_folder();

}  // namespace freshet
