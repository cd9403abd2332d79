#include "cli/demo/workspace.h"

#include <fcntl.h>
#include <sys/file.h>

namespace freshet::demo {
namespace {

constexpr const char* kMarker = ".freshet-demo";
constexpr std::string_view kMarkerText =
    "Made by `freshet demo`, which deletes all of this folder when it runs here again.\n";

}  // namespace

Result<Workspace> Workspace::open(const Path& dir) {
  std::error_code error;
  Path folder = std::filesystem::absolute(dir, error).lexically_normal();
  if (!folder.has_filename()) folder = folder.parent_path();
  bool there = std::filesystem::exists(folder, error),
       marked = std::filesystem::exists(folder / kMarker, error);
  if (there && !std::filesystem::is_directory(folder, error))
    return fail(Code::kBadInput, folder.string() + " is not a folder; give another --dir");
  if (there && !marked && !std::filesystem::is_empty(folder, error))
    return fail(Code::kRefused,
                folder.string() + " holds files that the demo did not make; give another --dir");
  TRY(make_folders(folder, 0755));
  UniqueFd lock(::open((folder / kMarker).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!lock) return tl::unexpected(errno_error("cannot write", folder / kMarker));
  if (flock(lock.get(), LOCK_EX | LOCK_NB) != 0)
    return fail(Code::kUnavailable,
                "another demo runs in " + folder.string() + "; wait for it or give another --dir");
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (entry.path().filename() == kMarker) continue;
    std::filesystem::remove_all(entry.path(), error);
    if (error)
      return fail(Code::kRefused, "cannot delete " + entry.path().string() + ": " +
                                      error.message() + "; give another --dir");
  }
  if (!marked) TRY(write_all(lock.get(), as_bytes(kMarkerText), folder / kMarker));
  return Workspace(std::move(folder), std::move(lock));
}

}  // namespace freshet::demo
