#include "cli/demo/private_text.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/check.h"
#include "base/limits.h"
#include "cli/demo/plain_text.h"
#include "cli/demo/unpack.h"

namespace freshet::demo {
namespace {

constexpr std::size_t kSourceBytesMax = 64 * limits::kMiB;
constexpr std::size_t kParts = 8;  // of a source that is one long file

std::string plain(Form form, std::string_view text) {
  switch (form) {
    case Form::kDictionary: return plain_from_dictionary(text);
    case Form::kFortunes: return plain_from_fortunes(text);
    case Form::kPod: return plain_from_pod(text);
    case Form::kRoff: return plain_from_roff(text);
    case Form::kPlain:
    case Form::kBible: break;
  }
  return std::string(text);
}

Result<std::string> read_plain(const Source& source, const Path& path) {
  TRY_ASSIGN(auto file, MappedFile::open(path));
  std::string text;
  if (source.form == Form::kBible) {
    TRY_ASSIGN(text, unpack_bible(file.view(), path.string(), kSourceBytesMax));
  } else if (path.extension() == ".gz" || path.extension() == ".dz") {
    TRY_ASSIGN(text, gunzip(file.view(), path.string(), kSourceBytesMax));
  } else {
    text = std::string(as_text(file.view()));
  }
  return tidy(plain(source.form, text));
}

// At most `bytes` from `from` on, whole lines.
std::string whole_lines(const std::string& text, std::size_t from, std::size_t bytes) {
  if (from > 0) {
    std::size_t line = text.find('\n', from - 1);
    if (line == std::string::npos) return {};
    from = line + 1;
  }
  if (text.size() - from <= bytes) return text.substr(from);
  std::size_t last = text.rfind('\n', from + bytes - 1);
  return last == std::string::npos || last < from ? std::string{}
                                                  : text.substr(from, last + 1 - from);
}

// Even slices of one long text. Its first twentieth (title pages, tables of contents) is left out.
std::vector<TextPart> slices(const std::string& name, const std::string& text, std::size_t bytes) {
  std::vector<TextPart> parts;
  std::size_t start = text.size() / 20, stride = (text.size() - start) / kParts;
  for (std::size_t i = 0; i < kParts; ++i)
    parts.push_back({fmt::format("{}-{}", name, i + 1),
                     whole_lines(text, start + i * stride, std::min(stride, bytes / kParts))});
  return parts;
}

// Short texts whole and the rest to equal parts of what is left, so that no single file fills the
// folder.
std::vector<TextPart> level(std::vector<TextPart> parts, std::size_t bytes) {
  std::vector<std::size_t> order(parts.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return parts[a].text.size() < parts[b].text.size();
  });
  std::size_t left = bytes, files = parts.size();
  for (std::size_t i : order) {
    parts[i].text = whole_lines(parts[i].text, 0, left / files);
    left -= parts[i].text.size();
    --files;
  }
  return parts;
}

Result<void> write_parts(const Path& folder, const std::vector<TextPart>& parts) {
  TRY(make_folders(folder));
  for (const TextPart& part : parts)
    if (!part.text.empty())
      TRY(write_file_durably(folder / (part.name + ".txt"), as_bytes(part.text)));
  return {};
}

}  // namespace

Result<std::vector<TextPart>> read_source(const Source& source, const TextRoots& roots,
                                          std::size_t bytes) {
  TRY_ASSIGN(std::vector<Path> files, find_files(source, roots));
  std::vector<TextPart> parts;
  for (const Path& path : files) {
    TRY_ASSIGN(std::string text, read_plain(source, path));
    if (!text.empty()) parts.push_back({path.stem().string(), std::move(text)});
  }
  if (files.size() == 1 && !parts.empty()) return slices(source.name, parts[0].text, bytes);
  return level(std::move(parts), bytes);
}

Result<std::vector<NodeText>> write_private_text(const Path& dir, const TextRoots& roots,
                                                 std::size_t count, std::size_t bytes_each) {
  CHECK(count <= private_sources().size(), "{} nodes", count);
  std::vector<NodeText> nodes;
  for (std::size_t i = 0; i < count; ++i) {
    const Source& source = private_sources()[i];
    TRY_ASSIGN(auto parts, read_source(source, roots, bytes_each));
    NodeText node{source.name, source.domain, dir / "private" / source.name};
    TRY(write_parts(node.folder, parts));
    nodes.push_back(std::move(node));
  }
  return nodes;
}

Result<Path> write_public_text(const Path& dir, const TextRoots& roots, std::size_t bytes) {
  Path folder = dir / "public";
  for (const Source& source : public_sources()) {
    TRY_ASSIGN(auto parts, read_source(source, roots, bytes / public_sources().size()));
    TRY(write_parts(folder, parts));
  }
  return folder;
}

Result<std::vector<NodeText>> list_own_text(const Path& data) {
  std::vector<NodeText> nodes;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(data, error), end; !error && entry != end;
       entry.increment(error)) {
    std::error_code ignored;
    if (!entry->is_directory(ignored)) continue;
    std::string name = entry->path().filename().string();
    if (name.front() != '.')
      nodes.push_back({name, name, std::filesystem::absolute(entry->path())});
  }
  if (error)
    return fail(Code::kBadInput, data.string() + ": " + error.message() +
                                     "; give a folder with one subfolder of text a node");
  if (nodes.size() < 2)
    return fail(
        Code::kBadInput,
        data.string() + ": " + std::to_string(nodes.size()) +
            " subfolders; the demo needs at least two, one a node, each with .txt or .md files");
  std::sort(nodes.begin(), nodes.end(),
            [](const NodeText& a, const NodeText& b) { return a.name < b.name; });
  return nodes;
}

}  // namespace freshet::demo
