#include "edge_node/forgotten.h"

#include <sys/stat.h>

#include <algorithm>

#include "base/json.h"
#include "base/limits.h"
#include "model/text/text_folder.h"

namespace freshet {
namespace {

Path list_of(const Path& folder) { return folder / "forgotten" / "list.json"; }

bool lies_below(const std::string& path, const std::string& above) {
  return path == above ||
         (path.size() > above.size() && path.starts_with(above) && path[above.size()] == '/');
}

Result<std::vector<FileMark>> marks_below(const Path& path) {
  std::error_code error;
  std::vector<FileMark> marks;
  const auto kind = std::filesystem::symlink_status(path, error).type();
  if (kind == std::filesystem::file_type::regular) {
    TRY_ASSIGN(const UniqueFd fd, open_for_reading(path));
    TRY_ASSIGN(const FileMark mark, mark_of(fd, path));
    marks.push_back(mark);
  } else if (kind == std::filesystem::file_type::directory) {
    auto files = open_text_folder(path);  // fails where there is no text in it
    if (!files) return marks;
    for (const OpenFile& file : *files) {
      TRY_ASSIGN(const FileMark mark, mark_of(file.fd, file.name));
      marks.push_back(mark);
    }
  }
  return marks;
}

}  // namespace

Path known_path(const Path& path) {
  std::error_code error;
  Path known = std::filesystem::absolute(path, error).lexically_normal();
  return known.has_filename() ? known : known.parent_path();
}

Result<FileMark> mark_of(const UniqueFd& fd, const Path& name) {
  struct stat about {};
  if (::fstat(fd.get(), &about) != 0) return tl::unexpected(errno_error("cannot look at", name));
  return FileMark{about.st_dev, about.st_ino, static_cast<std::uint64_t>(about.st_size),
                  about.st_mtim.tv_sec * 1'000'000'000 + about.st_mtim.tv_nsec};
}

std::int64_t Forgotten::state_of(const Path& folder) {
  struct stat about {};
  if (::stat(list_of(folder).c_str(), &about) != 0) return 0;
  return about.st_mtim.tv_sec * 1'000'000'000 + about.st_mtim.tv_nsec;
}

Result<Forgotten> Forgotten::load(const Path& folder) {
  Forgotten forgotten;
  const Path path = list_of(folder);
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return forgotten;
  const std::string source = path.string();
  TRY_ASSIGN(const std::string text, read_file(path, limits::kSmallFileBytesMax));
  TRY_ASSIGN(const Json json, parse_json(text, source));
  if (!json.contains("paths") || !json["paths"].is_array() || !json.contains("files") ||
      !json["files"].is_array())
    return fail(Code::kCorrupt, source + ": holds no lists of paths and files");
  for (const Json& each : json["paths"]) {
    if (!each.is_string()) return fail(Code::kCorrupt, source + ": a path is no text");
    forgotten.paths_.push_back(each.get<std::string>());
  }
  for (const Json& each : json["files"]) {
    FileMark mark;
    TRY_ASSIGN(mark.device, json_get<std::uint64_t>(each, "device", source));
    TRY_ASSIGN(mark.inode, json_get<std::uint64_t>(each, "inode", source));
    TRY_ASSIGN(mark.bytes, json_get<std::uint64_t>(each, "bytes", source));
    TRY_ASSIGN(mark.modified_ns, json_get<std::int64_t>(each, "modified_ns", source));
    forgotten.marks_.push_back(mark);
  }
  std::sort(forgotten.marks_.begin(), forgotten.marks_.end());
  return forgotten;
}

Result<void> Forgotten::add(const Path& folder, const Path& path) {
  TRY(make_folders(folder / "forgotten", 0700));
  TRY_ASSIGN(const UniqueFd lock, lock_folder(folder / "forgotten"));
  TRY_ASSIGN(const Forgotten before, load(folder));
  const Path known = known_path(path);
  TRY_ASSIGN(std::vector<FileMark> marks, marks_below(known));
  marks.insert(marks.end(), before.marks_.begin(), before.marks_.end());
  if (marks.size() > limits::kTextFilesMax || before.paths_.size() >= limits::kTextFilesMax)
    return fail(Code::kBadInput,
                "more files are forgotten than can be listed; move the text that "
                "may be used into a folder of its own and name that with --data");
  std::sort(marks.begin(), marks.end());
  marks.erase(std::unique(marks.begin(), marks.end()), marks.end());
  Json paths = Json::array(), files = Json::array();
  for (const std::string& each : before.paths_)
    if (each != known.string()) paths.push_back(each);
  paths.push_back(known.string());
  for (const FileMark& mark : marks)
    files.push_back({{"device", mark.device},
                     {"inode", mark.inode},
                     {"bytes", mark.bytes},
                     {"modified_ns", mark.modified_ns}});
  const Json json = {{"paths", std::move(paths)}, {"files", std::move(files)}};
  return write_file_durably(list_of(folder), as_bytes(to_text(json, 1) + "\n"), 0600);
}

bool Forgotten::covers(const Path& path, const FileMark& mark) const {
  const std::string known = known_path(path).string();
  return std::binary_search(marks_.begin(), marks_.end(), mark) ||
         std::any_of(paths_.begin(), paths_.end(),
                     [&](const std::string& each) { return lies_below(known, each); });
}

}  // namespace freshet
