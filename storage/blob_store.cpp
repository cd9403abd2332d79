#include "storage/blob_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <optional>

#include "base/crash_point.h"
#include "base/limits.h"
#include "crypto/digest.h"

namespace freshet {
namespace {

constexpr char kStaging[] = "staging";

// What the disk does is nobody's bad input: a full one is told apart, others are tried again.
Error of_disk(Error error) {
  if (error.code != Code::kNoSpace) error.code = Code::kUnavailable;
  return error;
}

// The size that a staged file's name "<64 hexadecimal digits>.<size>" promises.
std::optional<std::uint64_t> promised_size(const std::string& name) {
  if (name.size() < 66 || name[64] != '.' || !digest_from_hex(std::string_view(name).substr(0, 64)))
    return {};
  std::uint64_t size = 0;
  const char* end = name.data() + name.size();
  const auto parsed = std::from_chars(name.data() + 65, end, size);
  if (parsed.ec != std::errc() || parsed.ptr != end || size > limits::kBlobBytesMax) return {};
  return size;
}

// Whole chunks of a blob that is not finished.
std::uint64_t whole_chunks(std::uint64_t staged, std::uint64_t size) {
  const std::uint64_t unfinished = std::min(staged, size == 0 ? 0 : size - 1);
  return unfinished / limits::kChunkBytes * limits::kChunkBytes;
}

Result<std::uint64_t> length_of(const UniqueFd& fd, const Path& path) {
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return tl::unexpected(errno_error("cannot inspect", path));
  if (!S_ISREG(info.st_mode)) return fail(Code::kCorrupt, path.string() + " is not a regular file");
  return static_cast<std::uint64_t>(info.st_size);
}

Result<std::size_t> read_at(const UniqueFd& fd, std::uint64_t offset, std::span<std::uint8_t> into,
                            const Path& path) {
  std::size_t got = 0;
  while (got < into.size()) {
    const ssize_t count =
        ::pread(fd.get(), into.data() + got, into.size() - got, static_cast<off_t>(offset + got));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return tl::unexpected(errno_error("cannot read", path));
    if (count == 0) break;
    got += static_cast<std::size_t>(count);
  }
  return got;
}

Result<void> sync_folder(const Path& folder) {
  const UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::fsync(fd.get()) != 0) return tl::unexpected(errno_error("cannot sync", folder));
  return {};
}

// Takes the room of the whole blob, so that a full disk is known at its first chunk; the length
// still says how much of it is there. A file system that cannot do this finds out later.
Result<void> reserve(const UniqueFd& fd, std::uint64_t size, const Path& path) {
  if (size == 0 || ::fallocate(fd.get(), FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(size)) == 0)
    return {};
  if (errno == EOPNOTSUPP || errno == ENOSYS || errno == EINTR) return {};
  return tl::unexpected(errno_error("cannot reserve room for", path));
}

Result<Digest> digest_of_file(const UniqueFd& fd, const Path& path) {
  Hasher hasher;
  Bytes window(limits::kChunkBytes);
  for (std::uint64_t offset = 0;;) {
    TRY_ASSIGN(const std::size_t got, read_at(fd, offset, window, path));
    hasher.update(ByteView(window).first(got));
    offset += got;
    if (got < window.size()) return hasher.finish();
  }
}

}  // namespace

Path BlobStore::path_of(const Digest& digest) const { return folder_ / to_hex(digest); }

Path BlobStore::staging_of(const Digest& digest, std::uint64_t size) const {
  return folder_ / kStaging / (to_hex(digest) + "." + std::to_string(size));
}

Result<BlobStore> BlobStore::open(Path folder) {
  TRY(make_folders(folder / kStaging, 0700));
  BlobStore store(std::move(folder));
  std::error_code error;
  for (std::filesystem::directory_iterator at(store.folder_, error), end; !error && at != end;
       at.increment(error))
    if (at->path().filename().string().find(".tmp") != std::string::npos)
      ::unlink(at->path().c_str());
  for (std::filesystem::directory_iterator at(store.folder_ / kStaging, error), end;
       !error && at != end; at.increment(error)) {
    const Path& path = at->path();
    const std::optional<std::uint64_t> size = promised_size(path.filename().string());
    struct stat info {};
    const bool usable = size && ::lstat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode);
    const std::uint64_t whole =
        usable ? whole_chunks(static_cast<std::uint64_t>(info.st_size), *size) : 0;
    if (whole == 0 || ::truncate(path.c_str(), static_cast<off_t>(whole)) != 0)
      ::unlink(path.c_str());
    else
      ++store.stagings_;
  }
  if (error)
    return fail(Code::kRefused, "cannot list " + store.folder_.string() + ": " + error.message());
  return store;
}

Result<std::uint64_t> BlobStore::staged_bytes(const Digest& digest, std::uint64_t size) {
  if (has(digest)) {
    TRY_ASSIGN(const std::uint64_t stored, size_of(digest));
    if (stored == size) return size;
    return fail(Code::kBadInput, "blob " + short_hex(digest) + " has " + std::to_string(stored) +
                                     " bytes, not " + std::to_string(size));
  }
  struct stat info {};
  if (::lstat(staging_of(digest, size).c_str(), &info) != 0) return 0;
  return static_cast<std::uint64_t>(info.st_size);
}

Result<std::uint64_t> BlobStore::stage(const Digest& digest, std::uint64_t size,
                                       std::uint64_t offset, ByteView chunk) {
  const std::string name = "blob " + short_hex(digest);
  if (size > limits::kBlobBytesMax)
    return fail(Code::kBadInput,
                name + " of " + std::to_string(size) + " bytes is larger than a blob may be");
  if (offset > size || chunk.size() > size - offset)
    return fail(Code::kBadInput,
                name + ": a chunk goes beyond its " + std::to_string(size) + " bytes");
  if (chunk.empty() && size > 0) return fail(Code::kBadInput, name + ": an empty chunk");
  TRY_ASSIGN(const std::uint64_t staged, staged_bytes(digest, size));
  const bool repeated = size > 0 ? offset + chunk.size() <= staged : has(digest);
  if (repeated) return staged;
  if (offset != staged)
    return fail(Code::kBadInput, name + ": a chunk for offset " + std::to_string(offset) +
                                     ", the next one is " + std::to_string(staged));

  const Path path = staging_of(digest, size);
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (!fd && errno == ENOENT) {
    if (stagings_ >= limits::kStagingsMax)
      return fail(Code::kNoSpace,
                  "too many unfinished uploads; one must end before another begins");
    fd = UniqueFd(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (fd) ++stagings_;
  }
  if (!fd) return tl::unexpected(of_disk(errno_error("cannot create", path)));
  Result<void> written = staged == 0 ? reserve(fd, size, path) : Result<void>();
  if (written && ::lseek(fd.get(), static_cast<off_t>(staged), SEEK_SET) < 0)
    written = tl::unexpected(errno_error("cannot seek in", path));
  if (written) written = write_all(fd.get(), chunk, path);
  if (!written) {
    if (staged == 0 || ::ftruncate(fd.get(), static_cast<off_t>(staged)) != 0)
      TRY(drop_staged(digest, size));
    return tl::unexpected(of_disk(written.error()));
  }
  crash_point("chunk staged");
  if (staged + chunk.size() == size) TRY(finish(digest, size, std::move(fd)));
  return staged + chunk.size();
}

Result<void> BlobStore::finish(const Digest& digest, std::uint64_t size, UniqueFd staged) {
  const Path path = staging_of(digest, size);
  if (group_ == nullptr && durable_ && ::fdatasync(staged.get()) != 0) {
    Error error = of_disk(errno_error("cannot sync", path));
    TRY(drop_staged(digest, size));
    return tl::unexpected(std::move(error));
  }
  TRY_ASSIGN(const Digest found, digest_of_file(staged, path));
  if (found != digest) {
    TRY(drop_staged(digest, size));
    return fail(Code::kBadInput,
                "blob " + short_hex(digest) + ": its bytes have another digest; send it again");
  }
  crash_point("blob synced");
  if (::rename(path.c_str(), path_of(digest).c_str()) != 0)
    return tl::unexpected(of_disk(errno_error("cannot rename to", path_of(digest))));
  if (stagings_ > 0) --stagings_;
  crash_point("blob named");
  if (!durable_) return {};
  if (group_ == nullptr) return sync_folder(folder_);
  group_->add(std::move(staged));
  group_->add_folder(folder_);
  return {};
}

Result<void> BlobStore::drop_staged(const Digest& digest, std::uint64_t size) {
  const Path path = staging_of(digest, size);
  if (::unlink(path.c_str()) == 0) {
    if (stagings_ > 0) --stagings_;
    return {};
  }
  if (errno == ENOENT) return {};
  return tl::unexpected(errno_error("cannot remove", path));
}

Result<Digest> BlobStore::put(ByteView bytes) {
  const Digest digest = digest_of(bytes);
  if (has(digest)) return digest;
  if (group_ != nullptr) {
    TRY(put_deferred(digest, bytes));
  } else if (!durable_) {
    TRY(replace_file(path_of(digest), bytes, 0600));
  } else {
    TRY(write_file_durably(path_of(digest), bytes, 0600));
  }
  return digest;
}

Result<void> BlobStore::put_deferred(const Digest& digest, ByteView bytes) {
  const Path temporary = path_of(digest).string() + ".tmp";
  ::unlink(temporary.c_str());
  UniqueFd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd) return tl::unexpected(of_disk(errno_error("cannot create", temporary)));
  Result<void> written = write_all(fd.get(), bytes, temporary);
  crash_point("blob written");
  if (written && ::rename(temporary.c_str(), path_of(digest).c_str()) != 0)
    written = tl::unexpected(errno_error("cannot rename to", path_of(digest)));
  if (!written) {
    ::unlink(temporary.c_str());
    return tl::unexpected(of_disk(written.error()));
  }
  group_->add(std::move(fd));
  group_->add_folder(folder_);
  return {};
}

bool BlobStore::has(const Digest& digest) const {
  struct stat info {};
  return ::lstat(path_of(digest).c_str(), &info) == 0 && S_ISREG(info.st_mode);
}

Result<std::uint64_t> BlobStore::size_of(const Digest& digest) const {
  TRY_ASSIGN(const UniqueFd fd, open_for_reading(path_of(digest)));
  return length_of(fd, path_of(digest));
}

Result<Bytes> BlobStore::read(const Digest& digest, std::uint64_t offset, std::size_t count) const {
  const Path path = path_of(digest);
  TRY_ASSIGN(const UniqueFd fd, open_for_reading(path));
  TRY_ASSIGN(const std::uint64_t size, length_of(fd, path));
  if (offset >= size) return Bytes();
  Bytes bytes(static_cast<std::size_t>(std::min<std::uint64_t>(count, size - offset)));
  TRY_ASSIGN(const std::size_t got, read_at(fd, offset, bytes, path));
  bytes.resize(got);
  return bytes;
}

Result<MappedFile> BlobStore::map(const Digest& digest) const {
  return MappedFile::open(path_of(digest));
}

Result<void> BlobStore::remove(const Digest& digest) {
  if (::unlink(path_of(digest).c_str()) == 0 || errno == ENOENT) return {};
  return tl::unexpected(errno_error("cannot remove", path_of(digest)));
}

}  // namespace freshet
