#pragma once
// Text split by who speaks: `NAME:` on a line of its own, then what they say, then a blank line, as
// in a play.

#include <string>
#include <string_view>
#include <vector>

#include "model/text/corpus.h"

namespace freshet {

struct Speaker {
  std::string name;
  std::vector<std::string> utterances;  // in the order of the play, without name and blank line
  std::size_t bytes() const;            // of all utterances
};

// By falling bytes(), then by name. Empty where nobody speaks.
std::vector<Speaker> split_speakers(std::string_view play);

// A text cut at line ends into `count` parts of about the same size, each one utterance of a
// speaker that is named by its number.
std::vector<Speaker> split_parts(std::string_view text, std::size_t count);

// Every utterance encoded with BOS, joined to one document; the last tenth of the tokens is held
// out. Bytes are shared out by tokens.
Corpus speaker_corpus(const Tokenizer& tokenizer, const Speaker& speaker);

}  // namespace freshet
