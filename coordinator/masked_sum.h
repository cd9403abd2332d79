#pragma once
// The sum of a masked round: packed words are added straight from the survivors' files, one after
// another, then the masks come off and the mean is held against what honest updates can make.
// Memory: one sum, whatever the number of nodes.

#include "aggregation/evaluation.h"
#include "aggregation/privacy/adaptive_clip.h"
#include "coordinator/round_book.h"
#include "storage/blob_store.h"

namespace freshet {

struct MaskedMean {
  MeanUpdate mean;
  double share_within = 0;  // of the updates within the clip, where the descriptor counts them
  std::optional<EvaluationTotals> totals;  // where it has room for them
  Digest sum{};  // digest_of("freshet/sum/v1", the unmasked words as little-endian u32)
};

// kBadInput: no sum of updates that keep to the descriptor. REQUIRES: book.recovery() is rebuilt,
// and `parts` are its survivors.
Result<MaskedMean> masked_mean(const BlobStore& uploads, const RoundBook& book,
                               std::span<const round::Survivor> parts, std::size_t entries);

// The clip of the next round, where it follows the norms: as next_clip() says, and free to rise
// above the plan's, but no longer than a vector of this grid can be and no shorter than its step;
// the descriptor's own where the noise for it would not fit the grid or its words.
double clip_after(const Descriptor& descriptor, double share_within, const ClipRule& rule,
                  std::size_t entries);

}  // namespace freshet
