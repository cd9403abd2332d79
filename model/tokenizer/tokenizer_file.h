#pragma once
// What a Hugging Face tokenizer.json says, checked and resolved to ids. Every part that Freshet
// does not implement is refused by its name, so that a tokenizer either gives the ids of its makers
// or none. A TokenizerFile can also be filled by hand, from another kind of file (see forms.h for
// the usual parts); Tokenizer::make() checks it in full.

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "model/tokenizer/bpe.h"

namespace freshet {

// Applied to the text between raw added tokens, in order.
struct NormalizerStep {
  enum class Kind {
    kPrepend,  // `to` before a text that is not empty
    kReplace,  // every `from` by `to`; with `regex`, every match of the pattern `from`
    kNfc,
    kNfd,
    kNfkc,
    kNfkd,
    kLowercase,
    kStrip,  // white space at the left and right
  };
  Kind kind = Kind::kNfc;
  std::string from, to;
  bool regex = false;
  bool left = true, right = true;  // kStrip
};

// What becomes of a match of kSplit, as the tokenizers package names it.
enum class SplitBehavior { kRemoved, kIsolated, kMergedWithPrevious, kMergedWithNext, kContiguous };
enum class PrependScheme { kFirst, kAlways, kNever };

// Cuts the text into the words that are merged each on its own, in order.
struct PreTokenizerStep {
  enum class Kind {
    kByteLevel,  // the words' bytes become GPT-2's alphabet; nothing may follow it
    kSplit,
    kDigits,
    kMetaspace,  // spaces become `replacement`
  };
  Kind kind = Kind::kByteLevel;

  bool prefix_space = false, use_regex = true;  // kByteLevel; use_regex: GPT-2's pattern

  std::string pattern;  // kSplit
  bool regex = true;    // `pattern` is a regular expression (Oniguruma's), not a plain string
  bool invert = false;  // what does not match counts as the match
  SplitBehavior behavior = SplitBehavior::kIsolated;

  bool individual_digits = false;  // kDigits

  std::string replacement = "\xE2\x96\x81";  // kMetaspace; one character
  PrependScheme prepend = PrependScheme::kAlways;
  bool split = true;  // each `replacement` starts a word
};

// Applied to the tokens' texts. kReplace (any number), then kByteFallback, kFuse, kStrip (at most
// once each, in this order); or kByteLevel alone; or kMetaspace alone.
struct DecoderStep {
  enum class Kind {
    kByteLevel,
    kReplace,       // every `from` by `to` in every token
    kByteFallback,  // "<0x0A>" is the byte 10
    kFuse,
    kStrip,     // one `from` at the start of the whole text
    kMetaspace  // `from` is a space; with `to` one at the start of the whole text is dropped
  };
  Kind kind = Kind::kByteLevel;
  std::string from, to;
};

struct AddedToken {
  std::string text;
  TokenId id = -1;
  bool special = false;                 // gives no text
  bool normalized = false;              // looked for after the normaliser ran
  bool single_word = false;             // only where no letter or digit stands beside it
  bool lstrip = false, rstrip = false;  // takes the white space before or after it along
};

struct TokenizerFile {
  std::unordered_map<std::string, TokenId> vocabulary;  // tokens as the file writes them ("Ġthe")
  std::vector<MergeRule> merges;                        // best first
  TokenId unknown = -1;  // for what the vocabulary cannot write; -1: such text is dropped
  bool fuse_unknown = false, byte_fallback = false;
  bool ignore_merges = false;  // a word that is a token is that token, whatever merges say

  std::vector<AddedToken> added;  // ids may lie in the vocabulary (then under the same text) or not
  std::vector<NormalizerStep> normalizer;
  std::vector<PreTokenizerStep> pre_tokenizer;
  std::vector<TokenId> before, after;  // special ids that the post-processor puts around a text
  std::vector<DecoderStep> decoder;

  bool byte_level() const;  // the vocabulary is in GPT-2's alphabet
};

Result<TokenizerFile> parse_tokenizer_file(std::string_view json, std::string_view source);

// What the parser promises and Tokenizer::make() needs: ids in range and used once, merges that
// make what they say, steps in an order that is implemented. `source` names the file in errors.
Result<void> check_tokenizer_file(const TokenizerFile& file, std::string_view source);

// The tokenizer.json that says the same; the tokenizers package reads it.
std::string write_tokenizer_file(const TokenizerFile& file);

}  // namespace freshet
