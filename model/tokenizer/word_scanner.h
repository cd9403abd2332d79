#pragma once
// The patterns of the usual byte-level models, by hand: the words that the regular expressions
// find, several times faster.

#include <cstddef>
#include <optional>
#include <string_view>

#include "model/tokenizer/word_sink.h"

namespace freshet {

enum class KnownPattern { kGpt2, kLlama3, kQwen2 };

// The regular expression that files write for a known pattern, and back.
std::string_view expression_of(KnownPattern pattern);
std::optional<KnownPattern> known_pattern(std::string_view expression);

// Where the word ends that begins at `at`. REQUIRES: well-formed UTF-8, at < text.size().
std::size_t word_end(KnownPattern pattern, std::string_view text, std::size_t at);

// Calls `word` with every word of `text`, in order; together they are the text. A run of bytes that
// are not UTF-8 is a word of its own.
void split_words(KnownPattern pattern, std::string_view text, const WordSink& word);

}  // namespace freshet
