#include "cli/model/data_flag.h"

namespace freshet {

Result<std::vector<Document>> read_data(const std::string& place,
                                        const Result<ChatTemplate>& chat) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(place, ignored)) {
    TRY_ASSIGN(const std::vector<OpenFile> files, open_text_folder(place));
    return read_documents(files, {&chat, {}});
  }
  OpenFile file;
  file.name = place;
  TRY_ASSIGN(file.fd, open_for_reading(place));
  TRY_ASSIGN(std::vector<Document> documents, read_documents(file, {&chat, {}}));
  if (documents.empty()) return fail(Code::kBadInput, place + ": there is no text in this file");
  return documents;
}

std::optional<Precision> precision_named(std::string_view name) {
  for (const Precision one : {Precision::kF32, Precision::kBf16, Precision::kInt8, Precision::kNf4})
    if (name == name_of(one)) return one;
  return std::nullopt;
}

}  // namespace freshet
