#pragma once
// Rows of a .jsonl file, one JSON object a line:
//   {"messages": [{"role", "content"}, ...]}   a conversation in the model's own chat template; the
//   assistant's
//                                              messages count, each with the mark that ends its
//                                              turn
//   {"prompt", "completion"}                   one text after the other; the completion counts
//   {"text"}                                   as a document of a .txt file; all of it counts
// Looked for in this order; other keys are ignored. A "text" and a "completion" end with the
// tokenizer's EOS, which counts: a row is whole, and a model tuned on rows must learn to stop. (A
// document of a .txt or .md file gets none, as it may be one part of many; a conversation has what
// its template writes.) In "messages" and "prompt"/"completion" special tokens that people wrote
// are plain text; in "text" they are tokens, as in a .txt file.

#include <optional>
#include <string_view>
#include <vector>

#include "model/text/chat_template.h"

namespace freshet {

// `chat` is the model's, or the reason why it has none, which then is the reason to refuse
// "messages". A bad row is kBadInput and says file, line and reason; nothing of the file is used
// then. Empty lines and rows with an empty "text" are left out.
Result<std::vector<Document>> split_rows(std::string_view text, std::string_view source,
                                         const Result<ChatTemplate>& chat);

}  // namespace freshet
