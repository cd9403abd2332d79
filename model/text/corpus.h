#pragma once
// Text to train on: documents from descriptors, a held-out tail, and windows of token ids.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/files/model_files.h"
#include "model/text/token_stream.h"
#include "model/tokenizer/tokenizer.h"

namespace freshet {

struct Document {
  std::string text;
};

// Regular .txt, .md and .text files below `folder`, sorted by path; kBadInput for a folder that is missing, not readable
// or has no such file, saying what to do.
Result<std::vector<OpenFile>> open_text_folder(const Path& folder);

// One file's documents: split at <|endoftext|>, stripped, empty ones dropped. kBadInput, naming the file, for text with
// NUL bytes (binary). Broken UTF-8 is kept as it is.
Result<std::vector<Document>> read_documents(const OpenFile& file);

// The same of text in memory; `source` names it in errors.
Result<std::vector<Document>> split_documents(std::string_view text, std::string_view source);

// The text of a node: what trains and what is held out.
struct Corpus {
  TokenStream train, heldout;  // each document with BOS before it
};

// Holds out the last `heldout_share` of the bytes of every document that has at least 20 lines, else the last documents
// of that share; cuts fall on line ends. Deterministic: the same folder gives the same split. kBadInput if the training
// part is shorter than `window` + 1 tokens.
Result<Corpus> make_corpus(const Tokenizer& tokenizer, std::span<const Document> documents, double heldout_share, int window);

}  // namespace freshet
