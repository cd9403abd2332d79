#pragma once
// The one way from a stored contribution to the words of a masked vector: clip, round to the grid,
// add this node's part of the noise. Rounding and noise come from generators keyed by the node's
// own secret, the campaign and the version, so that one contribution gives the same words on every
// try, and no second vector of it can be compared with the first.

#include "aggregation/evaluation.h"
#include "crypto/secret.h"
#include "protocol/descriptor.h"

namespace freshet {

// `totals` go along where the descriptor has room for them; zeros where this node has none to give.
// kBadInput where the descriptor's noise does not fit its grid.
Result<QuantizedUpdate> masked_words(const ClippedUpdate& contribution,
                                     const Descriptor& descriptor, const Secret& storage,
                                     const EvaluationTotals& totals = {});

}  // namespace freshet
