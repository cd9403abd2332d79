#include "cli/backup/backup.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <vector>

#include "base/json.h"
#include "base/limits.h"
#include "crypto/digest.h"

namespace freshet {
namespace {

constexpr std::size_t kPieceBytes = limits::kMiB, kListBytesMax = 64 * limits::kMiB;
constexpr std::size_t kCopiedFilesMax = 200'000;
constexpr std::string_view kList = "backup.json";

using FileList = std::map<std::string, std::pair<std::uint64_t, Digest>>;  // by relative path

// Regular files; sockets, locks and what a write left half done are no state.
Result<std::vector<Path>> files_below(const Path& folder) {
  std::vector<Path> files;
  std::error_code error;
  std::filesystem::recursive_directory_iterator at(folder, error);
  for (const std::filesystem::recursive_directory_iterator end; !error && at != end;
       at.increment(error)) {
    std::error_code gone;
    const Path name = at->path().filename();
    if (at->symlink_status(gone).type() != std::filesystem::file_type::regular || name == "lock" ||
        name == "LOCK" || name.string().find(".tmp") != std::string::npos)
      continue;
    if (files.size() == kCopiedFilesMax)
      return fail(Code::kBadInput, folder.string() + ": more files than a backup can list");
    files.push_back(at->path().lexically_relative(folder));
  }
  if (error)
    return fail(Code::kRefused,
                fmt::format("{}: cannot read this folder ({}); run this as the user "
                            "that its daemon runs as",
                            folder.string(), error.message()));
  std::sort(files.begin(), files.end());
  return files;
}

// Calls `each` with the file's bytes, a piece at a time, and gives their number and digest.
template <class Each>
Result<std::pair<std::uint64_t, Digest>> read_through(const Path& path, Each each) {
  TRY_ASSIGN(const UniqueFd fd, open_for_reading(path));
  Bytes piece(kPieceBytes);
  Hasher hasher;
  std::uint64_t bytes = 0;
  for (;;) {
    const ssize_t got = ::read(fd.get(), piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return tl::unexpected(errno_error("cannot read", path));
    if (got == 0) return std::pair(bytes, hasher.finish());
    const ByteView part(piece.data(), static_cast<std::size_t>(got));
    hasher.update(part);
    TRY(each(part));
    bytes += part.size();
  }
}

Result<std::pair<std::uint64_t, Digest>> copy_durably(const Path& from, const Path& to) {
  TRY(make_folders(to.parent_path(), 0700));
  UniqueFd fd(::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd) return tl::unexpected(errno_error("cannot create", to));
  TRY_ASSIGN(const auto copied,
             read_through(from, [&](ByteView part) { return write_all(fd.get(), part, to); }));
  if (::fsync(fd.get()) != 0) return tl::unexpected(errno_error("cannot sync", to));
  return copied;
}

Result<void> sync_folder(const Path& folder) {
  const UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::fsync(fd.get()) != 0) return tl::unexpected(errno_error("cannot sync", folder));
  return {};
}

Result<void> sync_folders(const Path& top) {
  std::error_code error;
  TRY(sync_folder(top));
  for (const auto& entry : std::filesystem::recursive_directory_iterator(top, error))
    if (entry.is_directory(error)) TRY(sync_folder(entry.path()));
  return {};
}

Result<void> must_be_new(const Path& path) {
  std::error_code error;
  if (!std::filesystem::exists(std::filesystem::symlink_status(path, error))) return {};
  return fail(Code::kBadInput,
              path.string() + ": is there already; name a folder that is not, or move it away");
}

// Files by `fill` in a folder beside `to`, which gets that name once all is durable.
template <class Fill>
Result<Copied> all_or_nothing(const Path& to, Fill fill) {
  TRY(must_be_new(to));
  const Path partial = to.string() + ".partial";
  std::error_code error;
  std::filesystem::remove_all(partial, error);
  TRY(make_folders(partial, 0700));
  Result<Copied> copied = fill(partial);
  if (auto synced = copied ? sync_folders(partial) : Result<void>(); !synced)
    copied = tl::unexpected(synced.error());
  if (copied && ::rename(partial.c_str(), to.c_str()) != 0)
    copied = tl::unexpected(errno_error("cannot name", to));
  if (!copied) {
    std::filesystem::remove_all(partial, error);
    return copied;
  }
  const Path above = std::filesystem::absolute(to, error).parent_path();
  TRY(sync_folder(above));
  return copied;
}

Result<FileList> read_list(const Path& backup) {
  const Path path = backup / kList;
  const std::string source = path.string();
  TRY_ASSIGN(const std::string text, read_file(path, kListBytesMax));
  TRY_ASSIGN(const Json json, parse_json(text, source));
  if (!json.contains("files") || !json["files"].is_object())
    return fail(Code::kCorrupt, source + ": lists no files; it is no backup of Freshet's");
  FileList list;
  for (const auto& [name, each] : json["files"].items()) {
    const Path path_of = Path(name).lexically_normal();
    if (path_of.is_absolute() || path_of.empty() || *path_of.begin() == "..")
      return fail(Code::kCorrupt, source + ": a file outside the folder: " + name);
    TRY_ASSIGN(const auto bytes, json_get<std::uint64_t>(each, "bytes", source));
    TRY_ASSIGN(const auto hex, json_get<std::string>(each, "digest", source));
    TRY_ASSIGN(const Digest digest, digest_from_hex(hex));
    list[name] = {bytes, digest};
  }
  return list;
}

Result<void> verify_backup(const Path& backup, const FileList& list) {
  TRY_ASSIGN(const std::vector<Path> there, files_below(backup));
  for (const Path& path : there)
    if (path != kList && !list.contains(path.string()))
      return fail(Code::kCorrupt, (backup / path).string() + ": is not of this backup");
  for (const auto& [name, expected] : list) {
    TRY_ASSIGN(const auto read,
               read_through(backup / name, [](ByteView) { return Result<void>(); }));
    if (read != expected)
      return fail(Code::kCorrupt,
                  (backup / name).string() + ": is not what was backed up; take another backup");
  }
  return {};
}

}  // namespace

Result<Copied> back_up(const Path& folder, const Path& to) {
  std::error_code error;
  if (!std::filesystem::exists(folder / "identity.key", error) &&
      !std::filesystem::exists(folder / "journal", error))
    return fail(Code::kBadInput, folder.string() + ": no coordinator or authority lives there");
  if (std::filesystem::exists(folder / "contribution", error))
    return fail(Code::kRefused,
                folder.string() +
                    ": is a node's folder, which must not be put back: it would forget what was "
                    "spent of its privacy. A node that is lost joins again, with new keys");
  TRY_ASSIGN(const UniqueFd lock, lock_folder(folder));
  TRY_ASSIGN(const std::vector<Path> files, files_below(folder));
  return all_or_nothing(to, [&](const Path& partial) -> Result<Copied> {
    Copied total;
    Json list = Json::object();
    for (const Path& path : files) {
      TRY_ASSIGN(const auto copied, copy_durably(folder / path, partial / path));
      list[path.string()] = {{"bytes", copied.first}, {"digest", to_hex(copied.second)}};
      ++total.files;
      total.bytes += copied.first;
    }
    const std::string text = to_text(Json{{"files", std::move(list)}}, 1) + "\n";
    TRY(write_file_durably(partial / kList, as_bytes(text), 0600));
    return total;
  });
}

Result<Copied> restore(const Path& backup, const Path& folder) {
  TRY_ASSIGN(const FileList list, read_list(backup));
  TRY(must_be_new(folder));
  TRY(verify_backup(backup, list));
  return all_or_nothing(folder, [&](const Path& partial) -> Result<Copied> {
    Copied total;
    for (const auto& [name, expected] : list) {
      TRY_ASSIGN(const auto copied, copy_durably(backup / name, partial / name));
      if (copied != expected)
        return fail(Code::kCorrupt, (backup / name).string() + ": changed while it was read");
      ++total.files;
      total.bytes += copied.first;
    }
    return total;
  });
}

}  // namespace freshet
