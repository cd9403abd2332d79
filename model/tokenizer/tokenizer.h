#pragma once
// Text to token ids and back, from a Hugging Face tokenizer.json: byte-level BPE (GPT-2, GPT-NeoX,
// SmolLM2, Llama 3, Qwen 2 and 3) and SentencePiece-style BPE with byte fallback (Llama 2,
// Mistral). What is not implemented is refused by name (tokenizer_file.h).

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace freshet {

using TokenId = std::int32_t;

struct TokenizerFile;
struct TokenizerConfig;

class Tokenizer {
 public:
  // `source` names the file in errors.
  static Result<Tokenizer> parse(std::string_view json, std::string_view source);
  static Result<Tokenizer> make(TokenizerFile file, std::string_view source);

  // With `special`, the ids that the post-processor puts around a text (BOS for Llama) are there.
  // Any bytes have ids; those that are not UTF-8 come back from decode() as they were. Throws
  // PatternRunsAway (pattern.h) where the file's patterns take far too long on the text.
  std::vector<TokenId> encode(std::string_view text, bool special) const;

  // What strangers wrote, inside a chat template: a special token's text in it is plain text.
  // `first`: nothing stands before it, for tokenizers that put a space before a text.
  std::vector<TokenId> encode_plain(std::string_view text, bool first) const;

  // Exact for ids that encode() gave without special ids, but for what the tokenizer itself loses:
  // what its normaliser changed, and spaces that added tokens took along. Special ids give no text,
  // nor do ids outside the vocabulary.
  std::string decode(std::span<const TokenId> ids) const;

  // What one id adds to decode(); one id may end inside a character.
  std::string_view bytes_of(TokenId id) const;
  // What decode() takes away once at the start of a text; "" for most.
  std::string_view dropped_at_start() const;

  int vocab_size() const;  // highest id + 1
  int bos_id() const;      // -1 where there is none
  int eos_id() const;

  // The token as the vocabulary writes it ("<|im_start|>", "\u0120the"), and back: -1 or "" where
  // there is none.
  TokenId id_of(std::string_view token) const;
  std::string_view text_of(TokenId id) const;
  bool is_special(TokenId id) const;

  // Takes bos, eos and whether they stand around a text from a tokenizer_config.json. A token that
  // the vocabulary does not have is refused.
  Result<void> apply(const TokenizerConfig& config, std::string_view source);

  const TokenizerFile& file() const;  // for write_tokenizer_file()

  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;
  ~Tokenizer();

 private:
  struct Tables;
  explicit Tokenizer(std::unique_ptr<Tables> tables);
  std::unique_ptr<Tables> tables_;
};

// Trains a byte-level BPE on `texts` (Sennrich et al. 2016 over GPT-2's byte alphabet and its
// pre-tokenizer) and returns a tokenizer.json: ids 0 "<unk>", 1 "<s>" (BOS, put before a text), 2
// "</s>", then 256 bytes, then merges by rank.
Result<std::string> train_byte_level_bpe(std::span<const std::string> texts, int vocab_size);

}  // namespace freshet
