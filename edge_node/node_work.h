#pragma once
// What a node's driver keeps of the work that it has given away: to its trainer, to its
// coordinator.

#include <optional>
#include <vector>

#include "edge_node/chunk_window.h"
#include "edge_node/session.h"
#include "model/adapter.h"
#include "protocol/plan.h"

namespace freshet::node_work {

struct Campaign {
  CampaignId id;
  CampaignPlan plan;
  Layout layout;
};

struct Purpose {  // of a job of the trainer
  enum Kind : std::uint8_t {
    kTrain,
    kEvaluate,
    kBaselineTrain,
    kBaselineEvaluate,
    kAnswer,       // in a campaign of logits
    kEvaluateOwn,  // this node's own model there
  } kind;
  session::Base base;
};

struct Download {
  Digest blob{};
  std::uint64_t size = 0;
  ChunkWindow window = {};
};

struct Ending {  // of a campaign: the last evaluation, training at home alone, the report
  VersionId version;
  Digest adapter{};
  bool complete = false, evaluated = false;
  int failures = 0;
  std::uint64_t baseline_round = 0;
  std::vector<float> alone;  // the adapter of training at home
  std::optional<double> local_only;
};

}  // namespace freshet::node_work
