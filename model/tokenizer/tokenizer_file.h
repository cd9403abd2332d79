#pragma once
// What a Hugging Face tokenizer.json says, checked and resolved to ids. Every part that Freshet
// does not implement is refused by its name, so that a tokenizer either gives the ids of its makers
// or none.

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "model/tokenizer/bpe.h"

namespace freshet {

struct NormalizerStep {
  enum class Kind { kPrepend, kReplace, kNfc } kind;
  std::string from, to;  // kPrepend uses `to` alone
};

struct AddedToken {
  std::string text;
  TokenId id;
  bool special;     // gives no text
  bool normalized;  // looked for after the normaliser ran
};

struct TokenizerFile {
  std::unordered_map<std::string, TokenId> vocabulary;
  std::vector<MergeRule> merges;
  TokenId unknown = -1;  // for what the vocabulary cannot write; -1: such text is dropped
  bool fuse_unknown = false, byte_fallback = false, ignore_merges = false;

  std::vector<AddedToken> added;
  std::vector<NormalizerStep> normalizer;
  bool byte_level = false, prefix_space = false;  // pre-tokenizer ByteLevel; otherwise none
  std::vector<TokenId> before, after;  // special ids that the post-processor puts around a text

  // decoder: ByteLevel where byte_level, else these
  std::string decode_from, decode_to;  // replaced in every token; empty: nothing
  std::string strip;                   // taken away once at the start of the text; empty: nothing
};

Result<TokenizerFile> parse_tokenizer_file(std::string_view json, std::string_view source);

}  // namespace freshet
