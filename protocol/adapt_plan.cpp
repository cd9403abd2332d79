#include "base/limits.h"
#include "protocol/bounds.h"
#include "protocol/campaign_file.h"

namespace freshet {

Result<void> validate(const AdaptPlan& adapt) {
  TRY(within("[adapt] rank", adapt.rank, 1, limits::kAdapterRankMax));
  TRY(above_zero("[adapt] alpha", adapt.alpha));
  TRY(within("[adapt] steps", adapt.steps, 1, limits::kTrainingStepsMax));
  TRY(within("[adapt] batch", adapt.batch, 1, limits::kTrainingBatchMax));
  TRY(within("[adapt] window", adapt.window, 2, limits::kTrainingWindowMax));
  TRY(within("[adapt] top_k", adapt.top_k, 1, limits::kDistillationTopKMax));
  TRY(above_zero("[adapt] lr", adapt.lr));
  TRY(above_zero("[adapt] temperature", adapt.temperature));
  TRY(within("[adapt] weight", adapt.weight, 0.0f, 1.0f));
  TRY(within("[adapt] weight_end", adapt.weight_end, 0.0f, 1.0f));
  return seed_within("[adapt] seed", adapt.seed);
}

}  // namespace freshet
