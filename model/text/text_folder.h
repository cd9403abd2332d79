#pragma once
// The text files of a folder as descriptors, and their documents: .txt, .md and .text files, and
// .jsonl files of rows (model/text/rows.h).

#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/files/model_files.h"
#include "model/text/chat_template.h"
#include "model/text/document.h"

namespace freshet {

// Regular .txt, .md, .text and .jsonl files below `folder`, sorted by path; kBadInput for a folder
// that is missing, not readable or has no such file, saying what to do.
Result<std::vector<OpenFile>> open_text_folder(const Path& folder);

// Bytes done of all bytes; called every few MiB or documents, and at the end.
using TextProgress = std::function<void(std::uint64_t done, std::uint64_t total)>;

struct TextReading {
  const Result<ChatTemplate>* chat = nullptr;  // of the model; null: rows of "messages" are refused
  TextProgress progress = {};                  // may be empty
};

// One file's documents. A name that ends in .jsonl: its rows. Else split at <|endoftext|>,
// stripped, empty ones dropped; kBadInput, naming the file, for text with NUL bytes (binary).
// Broken UTF-8 is kept as it is.
Result<std::vector<Document>> read_documents(const OpenFile& file, const TextReading& reading = {});

// Those of all files, in order.
Result<std::vector<Document>> read_documents(std::span<const OpenFile> files,
                                             const TextReading& reading);

// The documents of plain text in memory; `source` names it in errors.
Result<std::vector<Document>> split_documents(std::string_view text, std::string_view source);

}  // namespace freshet
