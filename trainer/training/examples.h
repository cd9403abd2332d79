#pragma once
// A text as examples, for a training that promises each of them privacy: every document, and of a
// longer one every window of it, stands alone. And who of them is in a step: each by itself, with
// one chance (Poisson), drawn from a secret key.

#include <vector>

#include "base/bytes.h"
#include "crypto/secret.h"
#include "model/text/packing.h"
#include "trainer/transformer/pass.h"

namespace freshet {

// In the order of the text; those in which no target counts are left out.
std::vector<Piece> examples_of(const TokenStream& stream, int window);

// A name for all that is trained on: no two texts have one.
Digest text_digest(const TokenStream& stream);

// One example as a batch of one sequence.
TokenBatch example_batch(const TokenStream& stream, const Piece& example);

// The examples of a step, rising. `training` names the training, so that no two have one draw.
// REQUIRES: a key of 32 bytes.
std::vector<std::size_t> draw_examples(const Secret& key, const Digest& training, int step,
                                       std::size_t examples, double rate);

}  // namespace freshet
