#include "cli/demo/node_files.h"

#include "base/json.h"
#include "base/limits.h"

namespace freshet::demo {
namespace {

constexpr std::size_t kFileBytesMax = 16 * limits::kMiB;

Figure figure_of(const Json& json, const char* key) {
  auto found = json.find(key);
  return found != json.end() && found->is_number() ? Figure(found->get<double>()) : std::nullopt;
}

}  // namespace

std::vector<Figure> read_metrics(const Path& node_folder) {
  std::vector<Figure> figures;
  Path path = node_folder / "metrics.jsonl";
  auto text = read_file(path, kFileBytesMax);
  if (!text) return figures;
  for (std::size_t at = 0, end; (end = text->find('\n', at)) != std::string::npos; at = end + 1) {
    auto line = parse_json(std::string_view(*text).substr(at, end - at), path.string());
    if (!line || !line->is_object()) continue;
    auto version = json_get<std::uint64_t>(*line, "version", path.string());
    if (!version || *version > limits::kRoundsMax) continue;
    if (figures.size() <= *version) figures.resize(*version + 1);
    figures[*version] = figure_of(*line, "heldout_bpb");
  }
  return figures;
}

Result<void> read_node_report(const Path& node_folder, NodeFigures& node) {
  Path path = node_folder / "report.json";
  TRY_ASSIGN(std::string text, read_file(path, kFileBytesMax));
  TRY_ASSIGN(Json json, parse_json(text, path.string()));
  TRY_ASSIGN(node.train_bytes, json_get<std::uint64_t>(json, "train_bytes", path.string()));
  TRY_ASSIGN(node.heldout_bytes, json_get<std::uint64_t>(json, "heldout_bytes", path.string()));
  TRY_ASSIGN(node.bytes_up, json_get<std::uint64_t>(json, "bytes_up", path.string()));
  TRY_ASSIGN(node.bytes_down, json_get<std::uint64_t>(json, "bytes_down", path.string()));
  node.before = figure_of(json, "heldout_bpb_before");
  node.after = figure_of(json, "heldout_bpb_after");
  node.local_only = figure_of(json, "heldout_bpb_local_only");
  return {};
}

}  // namespace freshet::demo
