#pragma once
// What a coordinator asks of a node, held against the node's own policy and against what the node
// itself holds. Pure; a refusal names what to do about it, for the node's people, and a reason
// without text for the coordinator.

#include <optional>
#include <string>

#include "edge_node/exchange.h"
#include "protocol/policy_file.h"

namespace freshet {

struct Refusal {
  Declined declined = Declined::kPolicy;
  std::string why;
};

// A campaign, as announced: mode, method, model, epsilon.
std::optional<Refusal> refusal_of(const NodePolicy& policy, const CampaignPlan& plan);

// What the node itself has loaded for a round; nothing here is taken from the descriptor.
struct Loaded {
  CampaignId campaign;
  const CampaignPlan& plan;  // announced, checked, and pinned since
  Digest model{};
  Digest adapter{};  // of the bytes that it trained from
  VersionId version;
  Digest layout{};          // of the phase
  std::size_t entries = 0;  // of the phase
};

// The descriptor of a round of that campaign.
std::optional<Refusal> refusal_of(const NodePolicy& policy, const Descriptor& descriptor,
                                  const Loaded& loaded);

// The stricter of the policy's rules and the descriptor's. REQUIRES: it is not refused.
exchange::Rules rules_of(const NodePolicy& policy, const Descriptor& descriptor);

}  // namespace freshet
