#pragma once
// Fixed keys, one message of every kind, and random ones: what the tests of the wire are made of.

#include <string>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "protocol/codec.h"

namespace freshet::samples {

Identity node_identity();         // the key pair of RFC 8032, 7.1, test 1
Identity coordinator_identity();  // the key pair of RFC 8032, 7.1, test 2

Digest digest(std::uint8_t first);  // first, first + 1, ...
Signature signature(std::uint8_t first);
Descriptor descriptor();
CampaignPlan plan();  // no field has its default but `logits`, which it cannot have
CampaignPlan logits_plan();

std::vector<std::pair<std::string, NodeMessage>> node_messages();
std::vector<std::pair<std::string, CoordinatorMessage>> coordinator_messages();

NodeMessage random_node_message(Rng& rng);
CoordinatorMessage random_coordinator_message(Rng& rng);
CampaignPlan random_plan(Rng& rng);  // valid

Bytes encode_from_node(const NodeMessage& message, std::uint64_t sequence = 7);
Bytes encode_from_coordinator(const CoordinatorMessage& message, std::uint64_t sequence = 7);

}  // namespace freshet::samples
