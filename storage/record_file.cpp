#include "storage/record_file.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/check.h"
#include "base/crash_point.h"
#include "base/limits.h"
#include "crypto/digest.h"

namespace freshet {
namespace {

constexpr std::string_view kMagic = "freshet/records1", kDomain = "freshet/record/v1";
constexpr std::size_t kLengthBytes = 8, kHeadBytes = kLengthBytes + sizeof(Digest);

std::uint32_t number_at(ByteView bytes, std::size_t at) {
  return bytes[at] | bytes[at + 1] << 8 | bytes[at + 2] << 16 |
         static_cast<std::uint32_t>(bytes[at + 3]) << 24;
}

bool all_zero(ByteView bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t byte) { return byte == 0; });
}

struct End {
  std::uint64_t size = 0;
  Digest last{};
};

Error corrupt(const Path& path, std::size_t at, std::string_view what) {
  return {Code::kCorrupt,
          fmt::format("{}: {} at byte {}: the file was changed or its disk is failing; it is not "
                      "used until it is as it was (restore it from a backup)",
                      path.string(), what, at)};
}

// Calls `each` for every whole record; returns where the last of them ends.
Result<End> parse(const Path& path, std::string_view kind, ByteView bytes, const EachRecord& each) {
  End end{kMagic.size(), first_head(kind)};
  if (as_text(bytes.first(kMagic.size())) != kMagic)
    return tl::unexpected(corrupt(path, 0, "no file of records"));
  for (bytes = bytes.subspan(kMagic.size()); bytes.size() >= kHeadBytes;) {
    const std::uint32_t length = number_at(bytes, 0);
    if (length == 0 && all_zero(bytes)) break;  // a disk that lost power: longer, but not written
    if (length == 0 || length > limits::kRecordBytesMax || number_at(bytes, 4) != ~length)
      return tl::unexpected(corrupt(path, end.size, "no length of a record"));
    if (bytes.size() < kHeadBytes + length) break;
    const ByteView record = bytes.subspan(kHeadBytes, length);
    const Digest digest = next_head(end.last, record);
    if (!std::equal(digest.begin(), digest.end(), bytes.begin() + kLengthBytes))
      return tl::unexpected(corrupt(path, end.size, "a record that does not fit its digest"));
    TRY(each(record));
    end = {end.size + kHeadBytes + length, digest};
    bytes = bytes.subspan(kHeadBytes + length);
  }
  return end;
}

Result<void> write_at(int fd, ByteView bytes, std::uint64_t offset, const Path& path) {
  while (!bytes.empty()) {
    const ssize_t put = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return tl::unexpected(errno_error("cannot write", path));
    bytes = bytes.subspan(static_cast<std::size_t>(put));
    offset += static_cast<std::uint64_t>(put);
  }
  crash_point("record written");
  if (::fdatasync(fd) != 0) return tl::unexpected(errno_error("cannot sync", path));
  crash_point("record durable");
  return {};
}

Result<void> cut(int fd, std::uint64_t size, const Path& path) {
  if (::ftruncate(fd, static_cast<off_t>(size)) != 0 || ::fdatasync(fd) != 0)
    return tl::unexpected(errno_error("cannot cut", path));
  return {};
}

Result<UniqueFd> open_or_create(const Path& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) TRY(write_file_durably(path, as_bytes(kMagic), 0600));
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) return tl::unexpected(errno_error("cannot open", path));
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0)
    return fail(Code::kUnavailable, path.string() + ": another process is writing to it");
  return fd;
}

Result<End> read(const UniqueFd& fd, const Path& path, std::string_view kind,
                 const EachRecord& each) {
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return tl::unexpected(errno_error("cannot inspect", path));
  if (static_cast<std::uint64_t>(info.st_size) > limits::kRecordFileBytesMax)
    return fail(Code::kBadInput, fmt::format("{}: larger than the {} bytes allowed", path.string(),
                                             limits::kRecordFileBytesMax));
  if (static_cast<std::uint64_t>(info.st_size) < kMagic.size())
    return tl::unexpected(corrupt(path, 0, "no file of records"));
  TRY_ASSIGN(const MappedFile mapped, MappedFile::of(fd, path.string()));
  return parse(path, kind, mapped.view(), each);
}

}  // namespace

Digest first_head(std::string_view kind) { return digest_of(kDomain, as_bytes(kind)); }

Digest next_head(const Digest& head, ByteView record) {
  Bytes chained(head.begin(), head.end());
  chained.insert(chained.end(), record.begin(), record.end());
  return digest_of(kDomain, chained);
}

Result<RecordFile> RecordFile::open(const Path& path, std::string_view kind,
                                    const EachRecord& each) {
  TRY_ASSIGN(UniqueFd fd, open_or_create(path));
  TRY_ASSIGN(const End end, read(fd, path, kind, each));
  TRY(cut(fd.get(), end.size, path));
  RecordFile file(std::move(fd), path);
  file.size_ = end.size;
  file.last_ = end.last;
  return file;
}

Result<void> RecordFile::append(ByteView record) {
  CHECK(!record.empty() && record.size() <= limits::kRecordBytesMax, "{} bytes", record.size());
  if (broken_)
    return fail(Code::kUnavailable,
                path_.string() + ": an earlier write failed and could not be undone; start again");
  if (size_ + kHeadBytes + record.size() > limits::kRecordFileBytesMax)
    return fail(Code::kNoSpace, path_.string() + ": as large as it may become");
  const Digest digest = next_head(last_, record);
  const auto length = static_cast<std::uint32_t>(record.size());
  Bytes bytes;
  for (const std::uint32_t number : {length, ~length})
    for (int shift = 0; shift < 32; shift += 8)
      bytes.push_back(static_cast<std::uint8_t>(number >> shift));
  bytes.insert(bytes.end(), digest.begin(), digest.end());
  bytes.insert(bytes.end(), record.begin(), record.end());
  if (auto written = write_at(fd_.get(), bytes, size_, path_); !written) {
    broken_ = !cut(fd_.get(), size_, path_);
    return written;
  }
  size_ += bytes.size();
  last_ = digest;
  return {};
}

Result<void> read_records(const Path& path, std::string_view kind, const EachRecord& each) {
  TRY_ASSIGN(const UniqueFd fd, open_for_reading(path));
  auto end = read(fd, path, kind, each);
  if (!end) return tl::unexpected(end.error());
  return {};
}

}  // namespace freshet
