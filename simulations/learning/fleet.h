#pragma once
// A whole campaign in one process, on real text with a real model: the coordinator's pure machine
// decides, its data plane opens, adds and steps, the nodes train, clip, quantise and seal, exactly
// as over a network. What is left out is the network, the daemons and their disks.

#include <functional>
#include <string>
#include <vector>

#include "coordinator/campaign.h"
#include "model/language_model.h"
#include "protocol/robust_plan.h"
#include "simulations/learning/poison.h"

namespace freshet {

struct FleetNode {
  std::string name;
  Corpus corpus;
};

enum class Summing : std::uint8_t {
  kSealed,  // words on the grid, sealed to the coordinator
  kMasked,  // the same words, masked (simulations/learning/masked_round.h)
  kFloat,   // the clipped updates as they are: what the grid costs is measured against it
};

struct FleetPlan {
  CampaignPlan campaign;
  int threads = 2;          // nodes that train at a time
  bool home_alone = false;  // no campaign: every node on its own, the same steps
  Summing summing = Summing::kSealed;
  PoisonPlan poison = {};
  RobustPlan robust = {};
  TokenStream public_text =
      {};  // the gate's; empty: none. A version that fails repeats the one before
};

struct FleetResult {
  double bpb_before = 0, bpb_after = 0;         // mean over honest nodes, held-out
  std::vector<double> node_before, node_after;  // by node
  std::vector<float> adapter;                   // the last version; empty where nodes stay at home
  double seconds = 0;                           // of the campaign, without the two measurements
  double answer_before = 0, answer_after = 0;   // chance of each token of the backdoor's answer
  std::size_t refused = 0;                      // updates that were no valid part of a sum
  std::size_t held_back = 0;                    // versions that the gate did not let through
};

// `scratch` is an empty folder for sealed updates and adapters. `round_done` is called after each
// published version.
Result<FleetResult> run_fleet(LanguageModel& model, const std::vector<FleetNode>& nodes,
                              const FleetPlan& plan, const Path& scratch,
                              const std::function<void(std::uint64_t)>& round_done);

}  // namespace freshet
