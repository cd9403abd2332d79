#pragma once
// What a person says to a node when it starts.

#include <functional>
#include <optional>
#include <string>

#include "base/files.h"
#include "crypto/keys.h"
#include "edge_node/exchange.h"
#include "model/process/trainer_process.h"
#include "protocol/policy_file.h"

namespace freshet {

struct NodeOptions {
  Path folder, data, model;
  // "tcp://host:port", and who it must be; where the node has joined, empty is what it was told
  // then.
  std::string coordinator;
  std::optional<PublicIdentity> coordinator_id;
  std::string name;
  TrainerOptions trainer;
  NodePolicy policy;              // what this node gives (docs/node-policy.md)
  Path device_root = "/";         // where sys/ and proc/ lie
  bool keep_unmasked = false;     // keep the words under the masks of the last round, sealed
  int own_rank = 0;               // of its own adapter in campaigns of logits; 0: as the plan says
  std::uint64_t eval_tokens = 0;  // of the held-out text, for every evaluation; 0 is all
  bool baseline = false;          // after a campaign, also train at home alone, to compare
  bool exit_when_finished = false;
  Path record;  // keeps a plain copy of everything sent; empty: off
  std::function<void(const exchange::Phase&)>
      watch_round;  // called in every phase of a masked round
};

}  // namespace freshet
