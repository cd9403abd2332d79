#include "edge_node/seen_files.h"

#include <fmt/format.h>

#include <array>
#include <ctime>

#include "base/json.h"
#include "base/limits.h"

namespace freshet {
namespace {

std::string day_text(std::int64_t wall_s) {
  const std::time_t time = wall_s;
  std::tm parts{};
  ::localtime_r(&time, &parts);
  std::array<char, 16> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%d", &parts);
  return text.data();
}

}  // namespace

Result<SeenFiles> load_seen(const Path& folder) {
  const Path path = folder / "text.json";
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return SeenFiles{};
  const std::string source = path.string();
  TRY_ASSIGN(const std::string text, read_file(path, limits::kSmallFileBytesMax));
  TRY_ASSIGN(const Json json, parse_json(text, source));
  if (!json.is_object()) return fail(Code::kCorrupt, source + ": holds no files by path");
  SeenFiles files;
  for (const auto& [name, each] : json.items()) {
    SeenFile file;
    TRY_ASSIGN(file.first_s, json_get<std::int64_t>(each, "first_seen", source));
    TRY_ASSIGN(file.last_s, json_get<std::int64_t>(each, "last_seen", source));
    TRY_ASSIGN(file.bytes, json_get<std::uint64_t>(each, "bytes", source));
    TRY_ASSIGN(file.trainings, json_get<std::uint64_t>(each, "trainings", source));
    TRY_ASSIGN(file.left_out, json_get<std::string>(each, "left_out", source));
    files[name] = std::move(file);
  }
  return files;
}

Result<void> save_seen(const Path& folder, const SeenFiles& files) {
  Json json = Json::object();
  for (const auto& [name, file] : files)
    json[name] = {{"first_seen", file.first_s},
                  {"last_seen", file.last_s},
                  {"bytes", file.bytes},
                  {"trainings", file.trainings},
                  {"left_out", file.left_out}};
  return write_file_durably(folder / "text.json", as_bytes(to_text(json, 1) + "\n"), 0600);
}

std::string to_text(const SeenFiles& files) {
  if (files.empty()) return "No text was seen yet: it is looked at when a training begins.\n";
  std::string text =
      fmt::format("{:<10}  {:>10}  {:>9}  {}\n", "since", "bytes", "trainings", "file");
  for (const auto& [name, file] : files)
    text += fmt::format("{:<10}  {:>10}  {:>9}  {}{}\n", day_text(file.first_s), file.bytes,
                        file.trainings, name,
                        file.left_out.empty() ? "" : "  (not used: " + file.left_out + ")");
  return text;
}

}  // namespace freshet
