#include "model/text/text_folder.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/limits.h"
#include "model/text/rows.h"

namespace freshet {
namespace {

constexpr std::string_view kSeparator = "<|endoftext|>";
constexpr std::string_view kSpace = " \t\n\v\f\r";
constexpr std::string_view kHolds = "; give a folder with .txt, .md, .text or .jsonl files";
constexpr std::uint64_t kProgressBytes = 4 * limits::kMiB;  // read between two calls

std::string extension_of(const Path& path) {
  std::string extension = path.extension().string();
  for (char& c : extension)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return extension;
}

bool is_text_name(const Path& path) {
  const std::string extension = extension_of(path);
  return extension == ".txt" || extension == ".md" || extension == ".text" || extension == ".jsonl";
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

// Tells how much of all files was read, not too often.
class Meter {
 public:
  Meter(const TextProgress& progress, std::span<const OpenFile> files) : progress_(progress) {
    if (!progress) return;
    for (const OpenFile& file : files) {
      struct stat about = {};
      if (::fstat(file.fd.get(), &about) == 0) total_ += static_cast<std::uint64_t>(about.st_size);
    }
  }
  void add(std::size_t bytes) {
    done_ += bytes;
    if (!progress_ || done_ < next_) return;
    next_ = done_ + kProgressBytes;
    progress_(done_, std::max(done_, total_));
  }
  void end() const {
    if (progress_) progress_(done_, done_);
  }

 private:
  const TextProgress& progress_;
  std::uint64_t done_ = 0, total_ = 0, next_ = kProgressBytes;
};

// From the start, wherever the descriptor's own offset stands: it may be shared with another
// process.
Result<std::string> read_whole(const OpenFile& file, Meter& meter) {
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
    meter.add(static_cast<std::size_t>(got));
  }
}

std::string_view stripped(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

Result<std::vector<Document>> documents_of(const OpenFile& file, const Result<ChatTemplate>* chat,
                                           Meter& meter) {
  TRY_ASSIGN(const std::string text, read_whole(file, meter));
  if (extension_of(file.name) == ".jsonl") {
    static const Result<ChatTemplate> kNone =
        fail(Code::kBadInput,
             "no model is at hand whose chat template could print \"messages\"; give rows "
             "of \"text\" or of \"prompt\" and \"completion\"");
    return split_rows(text, file.name, chat == nullptr ? kNone : *chat);
  }
  return split_documents(text, file.name);
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

Result<std::vector<Document>> read_documents(const OpenFile& file, const TextReading& reading) {
  return read_documents(std::span(&file, 1), reading);
}

Result<std::vector<Document>> read_documents(std::span<const OpenFile> files,
                                             const TextReading& reading) {
  Meter meter(reading.progress, files);
  std::vector<Document> documents;
  for (const OpenFile& file : files) {
    TRY_ASSIGN(std::vector<Document> more, documents_of(file, reading.chat, meter));
    std::move(more.begin(), more.end(), std::back_inserter(documents));
  }
  meter.end();
  return documents;
}

}  // namespace freshet
