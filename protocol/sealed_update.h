#pragma once
// The only form of an update that can leave a node in mode `trusted-coordinator`: its words packed
// to as many bits as they need, sealed to the coordinator, for one campaign, one round and one
// node.

#include "aggregation/quantize.h"
#include "base/ids.h"
#include "crypto/seal.h"

namespace freshet {

struct SealedUpdate {
  Bytes bytes;
};

struct UpdateContext {
  CampaignId campaign;
  RoundId round;
  NodeId node;
  Digest layout{};
};

// The length of every sealed update of `entries` values: what an upload's size must be.
std::size_t sealed_update_bytes(const Grid& grid, std::size_t entries);

SealedUpdate seal_update(const QuantizedUpdate& update, const Grid& grid,
                         const SealingPublic& coordinator, const UpdateContext& context);
// `entries`: of the phase's layout. kBadInput when it does not open, or its length is not that of
// entries + weight.
Result<QuantizedUpdate> open_update(ByteView sealed, const Grid& grid, std::size_t entries,
                                    const Identity& coordinator, const UpdateContext& context);

}  // namespace freshet
