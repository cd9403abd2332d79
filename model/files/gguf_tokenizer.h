#pragma once
// The tokenizer inside a GGUF file: byte-level BPE ("gpt2") with the pre-tokenizer that its makers
// name, or SentencePiece's BPE ("llama"), whose merges follow from the scores.

#include <optional>
#include <string>

#include "base/result.h"
#include "model/files/gguf.h"
#include "model/tokenizer/tokenizer.h"
#include "model/tokenizer/tokenizer_file.h"

namespace freshet {

namespace gguf_token {  // llama.cpp's kinds of tokens
inline constexpr std::int32_t kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4,
                              kUnused = 5, kByte = 6;
}

// kBadInput by name for a kind of tokenizer or pre-tokenizer that is not implemented.
Result<TokenizerFile> gguf_tokenizer_file(const GgufFile& file);
Result<Tokenizer> gguf_tokenizer(const GgufFile& file);
Result<std::optional<std::string>> gguf_chat_template(const GgufFile& file);

// The metadata of a tokenizer for a model of `rows` embeddings; a chat template is
// the caller's to put. kBadInput for a tokenizer of a form that a GGUF
// file cannot name.
Result<void> put_gguf_tokenizer(const Tokenizer& tokenizer, int rows, GgufWriter& writer);

}  // namespace freshet
