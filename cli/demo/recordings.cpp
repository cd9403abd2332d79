#include "cli/demo/recordings.h"

#include "base/limits.h"
#include "cli/demo/wire_audit.h"
#include "model/text/corpus.h"
#include "model/tokenizer/tokenizer.h"

namespace freshet::demo {
namespace {

Result<std::vector<Path>> files_below(const Path& folder) {
  std::vector<Path> files;
  std::error_code error;
  for (std::filesystem::recursive_directory_iterator entry(folder, error), end;
       !error && entry != end; entry.increment(error))
    if (entry->is_regular_file(error)) files.push_back(entry->path());
  if (error) return fail(Code::kBadInput, folder.string() + ": " + error.message());
  return files;
}

// Maps files and keeps the maps as long as it lives.
class Mapped {
 public:
  Result<ByteView> open(const Path& path) {
    TRY_ASSIGN(MappedFile file, MappedFile::open(path));
    return keep(std::move(file));
  }
  ByteView keep(MappedFile file) {
    files_.push_back(std::move(file));
    return files_.back().view();
  }

 private:
  std::vector<MappedFile> files_;
};

Result<std::vector<PrivateFile>> private_files(Mapped& mapped, const std::vector<NodeText>& nodes,
                                               const Tokenizer& tokenizer) {
  std::vector<PrivateFile> files;
  for (const NodeText& node : nodes) {
    TRY_ASSIGN(std::vector<OpenFile> open, open_text_folder(node.folder));
    for (const OpenFile& each : open) {
      TRY_ASSIGN(MappedFile file, MappedFile::of(each.fd, each.name));
      ByteView text = mapped.keep(std::move(file));
      files.push_back({node.name + "/" + Path(each.name).filename().string(), text,
                       tokenizer.encode(as_text(text), false)});
    }
  }
  return files;
}

}  // namespace

Result<WireFigures> audit_recordings(const RecordingFolders& folders,
                                     const std::vector<NodeText>& nodes, const Path& slm) {
  TRY_ASSIGN(std::string json, read_file(slm / "tokenizer.json", limits::kSmallFileBytesMax));
  TRY_ASSIGN(Tokenizer tokenizer, Tokenizer::parse(json, (slm / "tokenizer.json").string()));
  Mapped mapped;
  TRY_ASSIGN(auto files, private_files(mapped, nodes, tokenizer));
  WireFigures figures;
  std::vector<Recording> recordings;
  TRY_ASSIGN(auto wire, files_below(folders.wire));
  for (const Path& path : wire) {
    TRY_ASSIGN(ByteView bytes, mapped.open(path));
    figures.bytes += bytes.size();
    recordings.push_back({path.filename().string(), bytes});
  }
  for (std::size_t node = 0; node < folders.frames.size(); ++node) {
    TRY_ASSIGN(auto frames, files_below(folders.frames[node]));
    for (const Path& path : frames) {
      TRY_ASSIGN(ByteView bytes, mapped.open(path));
      if (path.extension() == ".frame") ++figures.frames;
      recordings.push_back({nodes[node].name + "/" + path.filename().string(), bytes});
    }
  }
  figures.finding = audit_wire(files, recordings);
  return figures;
}

}  // namespace freshet::demo
