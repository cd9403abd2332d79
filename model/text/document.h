#pragma once
// One text to train on, and how it becomes token ids: whole, or in segments of which only some are
// to be predicted and only some may hold special tokens.

#include <cstdint>
#include <string>
#include <vector>

#include "model/tokenizer/added_tokens.h"
#include "model/tokenizer/tokenizer.h"

namespace freshet {

struct Segment {
  std::size_t bytes = 0;
  bool counts = false;  // predicting it counts for the loss
  bool markup =
      false;  // a chat template's: special tokens in it are tokens; elsewhere they are plain text
};

struct Document {
  std::string text;
  std::vector<Segment> segments =
      {};            // cover the text in order; empty: it is plain, and all of it counts
  bool row = false;  // of a .jsonl file: held out as a whole or not at all
  bool bos = true, eos = false;  // around the text: BOS where the tokenizer puts one, EOS where it has one
};

struct EncodedDocument {
  std::vector<TokenId> ids;
  std::vector<std::uint8_t> counts;  // as TokenStream's; empty: all do
  std::uint64_t bytes = 0;           // of text that counts, markup apart
};

class DocumentEncoder {
 public:
  // The tokenizer must outlive this.
  explicit DocumentEncoder(const Tokenizer& tokenizer);

  // The ids are those of the whole text: segments do not cut it. A token that reaches over a
  // segment's start counts if that segment does: it is not among the tokens that the text before
  // would give alone.
  EncodedDocument encode(const Document& document) const;

 private:
  const Tokenizer& tokenizer_;
  AddedTokens specials_;
  TokenId bos_ = -1;  // where the tokenizer itself puts one before a text
};

}  // namespace freshet
