#pragma once
// The data plane of a round: opens the sealed updates of the agreed survivors one at a time, adds
// them, and makes the next adapter. The same inputs give the same bytes, so that a crash at any
// point is repaired by doing it again. Memory: one adapter, its moments, one sum and one update,
// whatever the number of nodes; a robust rule takes a block of many updates beside.

#include <span>
#include <vector>

#include "aggregation/robust/rule.h"
#include "base/limits.h"
#include "coordinator/round.h"
#include "crypto/keys.h"
#include "model/adapter.h"
#include "protocol/plan.h"
#include "protocol/sealed_update.h"
#include "storage/blob_store.h"

namespace freshet {

// What a round of one campaign adds up.
struct RoundShape {
  const CampaignPlan& plan;
  const Layout& whole;
  Factors factors;
  Layout phase;
  Digest digest;  // of `phase`
};
Digest layout_digest(const Layout& layout);
RoundShape round_shape(const CampaignPlan& plan, const Layout& whole, VersionId base);

// kBadInput unless the update opens for this node and round, every word is within the grid, and it
// is no longer than the clip allows.
Result<void> check_update(ByteView sealed, const RoundShape& shape, const Identity& coordinator,
                          const UpdateContext& context);

struct SumPlan {
  CampaignId campaign;
  RoundId round;
  VersionId base;
  Digest adapter{};                        // of `base`
  std::span<const round::Survivor> parts;  // by rising node
  Path moments;                            // folder; one file for each version
  RobustRule rule = Mean{};  // over the updates: coordinator/robust_summing.h, if not the mean
  std::size_t block_bytes =
      limits::kRobustBlockBytes;  // of updates that such a rule holds at a time
  bool begins_anew = false;       // without the moments of the version before
};
struct Sum {
  Digest adapter{};  // of the next version
  std::vector<NodeId>
      spoiled;  // not empty: these updates are no valid part of a sum, and nothing was made
};
// `adapters` takes the next adapter; the moments of base + 1 are durable in their file before this
// returns.
struct Blobs {
  BlobStore& adapters;
  const BlobStore& uploads;
};
Result<Sum> add_and_step(Blobs blobs, const RoundShape& shape, const Identity& coordinator,
                         const SumPlan& sum);
// The rest of it, for a mean that is there: the next adapter.
Result<Digest> step_with(Blobs blobs, const RoundShape& shape, const SumPlan& sum,
                         const MeanUpdate& mean);
Result<void> drop_moments_before(const Path& folder, VersionId version);

// Little-endian f32, as adapters travel and rest. kCorrupt unless there are `entries` finite
// values.
Result<std::vector<float>> load_floats(const BlobStore& blobs, const Digest& digest,
                                       std::size_t entries);
Result<Digest> store_floats(BlobStore& blobs, const std::vector<float>& values);

}  // namespace freshet
