#pragma once
// Text to token ids and back, from a Hugging Face tokenizer.json: SentencePiece-style BPE with byte fallback (Llama 2)
// and byte-level BPE (GPT-2). A normaliser, pre-tokenizer or post-processor we do not know is refused by name.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace freshet {

using TokenId = std::int32_t;

class Tokenizer {
 public:
  // `source` names the file in errors.
  static Result<Tokenizer> parse(std::string_view json, std::string_view source);

  // With `special`, the ids that the post-processor puts around a text (BOS for Llama) are there.
  std::vector<TokenId> encode(std::string_view text, bool special) const;

  // Exact for ids that encode() gave without special ids, but that the Llama form loses the space it prepended.
  // Special ids give no text. Ids outside the vocabulary give no text.
  std::string decode(std::span<const TokenId> ids) const;

  int vocab_size() const;  // highest id + 1
  int bos_id() const;      // -1 where there is none
  int eos_id() const;

  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;
  ~Tokenizer();

 private:
  struct Tables;
  explicit Tokenizer(std::unique_ptr<Tables> tables);
  std::unique_ptr<Tables> tables_;
};

// Trains a byte-level BPE on `texts` (Sennrich et al. 2016 over GPT-2's byte alphabet and its pre-tokenizer) and returns
// a tokenizer.json: ids 0 "<unk>", 1 "<s>" (BOS, put before a text), 2 "</s>", then 256 bytes, then merges by rank.
Result<std::string> train_byte_level_bpe(std::span<const std::string> texts, int vocab_size);

}  // namespace freshet
