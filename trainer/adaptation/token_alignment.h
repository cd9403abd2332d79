#pragma once
// Two tokenizers' tokens of one text beside each other, as FedMKT (arXiv:2406.02224) and FuseLLM
// (arXiv:2401.10491) have them: places by dynamic time warping over the tokens' bytes, and
// vocabularies by the token that is spelled the same, or else most alike.

#include <string_view>
#include <vector>

#include "model/tokenizer/tokenizer.h"

namespace freshet {

// Insertions, deletions and replacements of bytes that turn one into the other (Levenshtein).
int edit_distance(std::string_view a, std::string_view b);

// By token of `to`, the token of `from` that stands for it and for nothing else; -1 where the path
// of least summed edit distance gives it none or several, or gives that token to others also.
// Takes time and memory of from.size() * to.size().
std::vector<int> align_tokens(const std::vector<std::string_view>& from,
                              const std::vector<std::string_view>& to);

// By id of `from`, the id of `to` with the same bytes, else with the fewest edits; ties go to the
// lower id. Special ids, and those without text, have -1.
std::vector<TokenId> vocabulary_map(const Tokenizer& from, const Tokenizer& to);

}  // namespace freshet
