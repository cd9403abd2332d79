#pragma once
// A masked round of a learning simulation with everybody in it: every node's own keys and shares,
// one masked vector each, packed as it travels, and the sum unmasked out of revealed shares.

#include <vector>

#include "aggregation/quantize.h"
#include "base/bytes.h"

namespace freshet {

// `round` goes into every key. kBadInput for fewer than two updates or a grid whose sum fits no
// word.
Result<QuantizedSum> masked_sum(std::vector<QuantizedUpdate> updates, const Grid& grid,
                                const Digest& round);

}  // namespace freshet
