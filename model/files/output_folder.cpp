#include "model/files/output_folder.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

namespace freshet {
namespace {

namespace fs = std::filesystem;

bool lies_at(const Path& path) {
  std::error_code ignored;
  return fs::symlink_status(path, ignored).type() != fs::file_type::not_found;
}

bool holds_a_model(const Path& folder) {
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) return false;
  return fs::is_empty(folder, ignored) || lies_at(folder / "config.json") ||
         lies_at(folder / "adapter_config.json");
}

tl::unexpected<Error> in_the_way(const Path& path) {
  return fail(Code::kRefused,
              path.string() + " is there already; name another, or replace it with --force");
}

Result<void> sync_folder(const Path& folder) {
  const UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::fsync(fd.get()) != 0) return tl::unexpected(errno_error("cannot sync", folder));
  return {};
}

Path parent_of(const Path& path) { return path.has_parent_path() ? path.parent_path() : Path("."); }

}  // namespace

Result<OutputFolder> OutputFolder::begin(const Path& asked, bool replace) {
  const Path path = asked.has_filename() ? asked : asked.parent_path();  // "out/" is "out"
  if (path.empty()) return fail(Code::kBadInput, "\"" + asked.string() + "\" names no folder");
  if (lies_at(path) && !replace) return in_the_way(path);
  if (lies_at(path) && !holds_a_model(path))
    return fail(Code::kRefused, path.string() +
                                    " is neither a model nor an adapter; --force replaces those "
                                    "alone: remove it yourself or name another");
  TRY(make_folders(parent_of(path)));
  const Path unfinished = path.string() + ".tmp" + std::to_string(::getpid());
  std::error_code ignored;
  fs::remove_all(unfinished, ignored);  // of an earlier process with this number
  OutputFolder folder(path, unfinished);
  TRY(make_folders(unfinished));
  return folder;
}

Result<void> OutputFolder::finish() {
  TRY(sync_folder(unfinished_));
  if (!lies_at(path_)) {
    if (::rename(unfinished_.c_str(), path_.c_str()) != 0)
      return tl::unexpected(errno_error("cannot rename to", path_));
    unfinished_.clear();
    return sync_folder(parent_of(path_));
  }
  if (::renameat2(AT_FDCWD, unfinished_.c_str(), AT_FDCWD, path_.c_str(), RENAME_EXCHANGE) != 0)
    return tl::unexpected(errno_error("cannot exchange with", path_));
  return sync_folder(parent_of(path_));  // the old one goes with this object
}

OutputFolder::OutputFolder(OutputFolder&& other) noexcept
    : path_(std::move(other.path_)), unfinished_(std::move(other.unfinished_)) {
  other.unfinished_.clear();
}

OutputFolder::~OutputFolder() {
  std::error_code ignored;
  if (!unfinished_.empty()) fs::remove_all(unfinished_, ignored);
}

Result<void> check_output_file(const Path& path, bool replace) {
  std::error_code ignored;
  if (!lies_at(path)) return make_folders(parent_of(path));
  if (!replace) return in_the_way(path);
  if (fs::is_regular_file(path, ignored)) return {};
  return fail(Code::kRefused, path.string() + " is not a file; name another");
}

}  // namespace freshet
