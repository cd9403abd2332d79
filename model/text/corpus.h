#pragma once
// Documents as token ids, in a part that trains and a part that is held out to measure with.

#include <span>

#include "base/result.h"
#include "model/text/document.h"
#include "model/text/stable_split.h"
#include "model/text/text_folder.h"
#include "model/text/token_stream.h"
#include "model/tokenizer/tokenizer.h"

namespace freshet {

// The text of a node: what trains and what is held out.
struct Corpus {
  TokenStream train, heldout;
};

// Holds out the last `heldout_share` of the bytes of every document that has at least 20 lines,
// else the last documents of that share; cuts fall on line ends, and each part has BOS before it.
// Of rows the last whole ones of that share are held out. Deterministic: the same folder gives the
// same split. kBadInput if the training part is shorter than `window` + 1 tokens, or, where it has
// rows, holds nothing to predict.
Result<Corpus> make_corpus(const Tokenizer& tokenizer, std::span<const Document> documents,
                           double heldout_share, int window, const TextProgress& progress = {});

// The same of text that is split already.
Result<Corpus> make_corpus(const Tokenizer& tokenizer, const Split& split, int window,
                           const TextProgress& progress = {});

}  // namespace freshet
