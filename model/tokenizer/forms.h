#pragma once
// The parts of a TokenizerFile that the usual families of models share, for files that only name
// their family (GGUF).

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/tokenizer/tokenizer_file.h"

namespace freshet {

inline constexpr std::string_view kWordMark = "\xE2\x96\x81";  // U+2581, in the place of a space

// Sets normalizer, pre_tokenizer, decoder and ignore_merges to a family's. Byte-level: "gpt-2",
// "gpt-neox" (with NFC), "smollm", "llama-3", "qwen2". SentencePiece-style: "llama" with a space
// put before every text, "llama-bare" without; both set byte_fallback and fuse_unknown.
// Another name is refused.
Result<void> set_form(std::string_view name, TokenizerFile& file);

// The merges that a SentencePiece vocabulary implies: the best-scored token that two neighbours
// make goes first. `tokens` and `scores` by id; tokens that are no plain text (control, byte,
// unknown) have no merges: give them in `plain` as false; nor have tokens longer than
// limits::kScoredTokenBytesMax. REQUIRES: equal sizes.
std::vector<MergeRule> merges_from_scores(std::span<const std::string> tokens,
                                          std::span<const float> scores,
                                          const std::vector<bool>& plain);

}  // namespace freshet
