#include "model/text/corpus.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>

#include "base/check.h"
#include "base/limits.h"

namespace freshet {
namespace {

constexpr std::string_view kSeparator = "<|endoftext|>";
constexpr std::string_view kSpace = " \t\n\v\f\r";
constexpr std::size_t kLinesToCut = 20;
constexpr std::string_view kHolds = "; give a folder with .txt, .md or .text files";

bool is_text_name(const Path& path) {
  std::string extension = path.extension().string();
  for (char& c : extension)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return extension == ".txt" || extension == ".md" || extension == ".text";
}

Error walk_error(const Path& folder, const std::error_code& error) {
  const bool denied = error == std::errc::permission_denied;
  return {denied ? Code::kRefused : Code::kBadInput,
          folder.string() + ": cannot read this folder (" + error.message() + ")" +
              (denied ? "; give its owner's or group's right to read to the user that runs Freshet"
                      : "")};
}

// Paths of the text files below `folder`, without following links out of it.
Result<std::vector<Path>> text_paths(const Path& folder) {
  std::vector<Path> paths;
  std::error_code error;
  std::filesystem::recursive_directory_iterator at(folder, error);
  for (const std::filesystem::recursive_directory_iterator end; !error && at != end;
       at.increment(error)) {
    std::error_code gone;
    if (at->symlink_status(gone).type() != std::filesystem::file_type::regular ||
        !is_text_name(at->path()))
      continue;
    if (paths.size() == limits::kTextFilesMax)
      return fail(Code::kBadInput, folder.string() + ": more than " +
                                       std::to_string(limits::kTextFilesMax) +
                                       " text files; join them into fewer");
    paths.push_back(at->path());
  }
  if (error) return tl::unexpected(walk_error(folder, error));
  std::sort(paths.begin(), paths.end());
  return paths;
}

// From the start, wherever the descriptor's own offset stands: it may be shared with another
// process.
Result<std::string> read_whole(const OpenFile& file) {
  std::string text;
  char buffer[64 * 1024];
  for (;;) {
    const ssize_t got =
        ::pread(file.fd.get(), buffer, sizeof buffer, static_cast<off_t>(text.size()));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return tl::unexpected(errno_error("cannot read", file.name));
    if (got == 0) return text;
    if (text.size() + static_cast<std::size_t>(got) > limits::kTextFileBytesMax)
      return fail(Code::kBadInput, file.name + ": larger than the " +
                                       std::to_string(limits::kTextFileBytesMax) +
                                       " bytes allowed for one text file; split it");
    text.append(buffer, static_cast<std::size_t>(got));
  }
}

std::string_view stripped(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

bool is_long(std::string_view text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) + 1 >= kLinesToCut;
}

// The line end nearest after the point that leaves `share` of the text behind it, else the last one
// before.
std::size_t cut_of(std::string_view text, double share) {
  if (share == 0) return text.size();
  const auto aim =
      static_cast<std::size_t>(std::floor(static_cast<double>(text.size()) * (1 - share)));
  std::size_t line_end = text.find('\n', aim == 0 ? 0 : aim - 1);
  if (line_end == std::string_view::npos) line_end = text.rfind('\n');
  return line_end == std::string_view::npos ? text.size() : line_end + 1;
}

// The short documents from this index on are held out: the fewest that make up the share, but never
// all.
std::size_t first_short_heldout(std::span<const Document> documents, double share) {
  std::vector<std::size_t> shorts;
  std::size_t bytes = 0, kept_back = 0;
  for (std::size_t i = 0; i < documents.size(); ++i) {
    if (is_long(documents[i].text)) continue;
    shorts.push_back(i);
    bytes += documents[i].text.size();
  }
  std::size_t first = documents.size();
  for (std::size_t i = shorts.size();
       i > 1 && static_cast<double>(kept_back) < share * static_cast<double>(bytes); --i) {
    first = shorts[i - 1];
    kept_back += documents[first].text.size();
  }
  return first;
}

void append(const Tokenizer& tokenizer, std::string_view text, TokenStream& stream) {
  if (text.empty()) return;
  std::vector<TokenId> ids;
  if (tokenizer.bos_id() >= 0) ids.push_back(tokenizer.bos_id());
  const std::vector<TokenId> more = tokenizer.encode(text, false);
  ids.insert(ids.end(), more.begin(), more.end());
  stream.append(ids, {}, text.size());
}

}  // namespace

Result<std::vector<OpenFile>> open_text_folder(const Path& folder) {
  std::error_code error;
  const auto kind = std::filesystem::status(folder, error).type();
  if (error && kind != std::filesystem::file_type::not_found)
    return tl::unexpected(walk_error(folder, error));
  if (kind != std::filesystem::file_type::directory)
    return fail(Code::kBadInput, folder.string() + ": no such folder" + std::string(kHolds));
  TRY_ASSIGN(const std::vector<Path> paths, text_paths(folder));
  if (paths.empty())
    return fail(Code::kBadInput,
                folder.string() + ": no text in this folder" + std::string(kHolds));
  std::vector<OpenFile> files;
  for (const Path& path : paths) {
    Result<UniqueFd> fd = open_for_reading(path);
    if (!fd && errno == EMFILE)
      return fail(
          Code::kBadInput,
          folder.string() + ": " + std::to_string(paths.size()) +
              " text files are more than may be open at once; join them or raise `ulimit -n`");
    TRY_ASSIGN(UniqueFd opened, std::move(fd));
    files.push_back({path.string(), std::move(opened)});
  }
  return files;
}

Result<std::vector<Document>> split_documents(std::string_view text, std::string_view source) {
  if (text.find('\0') != std::string_view::npos)
    return fail(Code::kBadInput, std::string(source) +
                                     ": holds NUL bytes, so it is not plain text; " +
                                     "take it out of the folder or save it as UTF-8");
  std::vector<Document> documents;
  for (;;) {
    const std::size_t end = std::min(text.find(kSeparator), text.size());
    if (const std::string_view document = stripped(text.substr(0, end)); !document.empty())
      documents.push_back({std::string(document)});
    if (end == text.size()) return documents;
    text.remove_prefix(end + kSeparator.size());
  }
}

Result<std::vector<Document>> read_documents(const OpenFile& file) {
  TRY_ASSIGN(const std::string text, read_whole(file));
  return split_documents(text, file.name);
}

Result<Corpus> make_corpus(const Tokenizer& tokenizer, std::span<const Document> documents,
                           double heldout_share, int window) {
  CHECK(heldout_share >= 0 && heldout_share < 1 && window > 0, "{} {}", heldout_share, window);
  Corpus corpus;
  const std::size_t first_heldout = first_short_heldout(documents, heldout_share);
  for (std::size_t i = 0; i < documents.size(); ++i) {
    const std::string_view text = documents[i].text;
    const std::size_t cut = is_long(text)       ? cut_of(text, heldout_share)
                            : i < first_heldout ? text.size()
                                                : 0;
    append(tokenizer, text.substr(0, cut), corpus.train);
    append(tokenizer, text.substr(cut), corpus.heldout);
  }
  const std::size_t needed = static_cast<std::size_t>(window) + 1;
  if (corpus.train.size() < needed)
    return fail(Code::kBadInput, "the training text has " + std::to_string(corpus.train.size()) +
                                     " tokens and needs at least " + std::to_string(needed) +
                                     " for one window; add more text to the folder");
  return corpus;
}

}  // namespace freshet
