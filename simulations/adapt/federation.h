#pragma once
// What the nodes do in a simulated campaign for the cloud model: tune the small model together
// under masks, or each its own and answer prompts about it, in vectors whose sum alone is seen.

#include "simulations/adapt/pair.h"
#include "trainer/adaptation/foreign_logits.h"
#include "trainer/adaptation/masked_logits.h"

namespace freshet {

struct Federated {
  AdapterSpec spec;
  std::vector<float> adapter;
  std::uint64_t bytes_up = 0;  // of one node in the whole campaign: the words of its updates
  double seconds = 0;
};

// Of one node's updates in a whole campaign, in the words of masked rounds.
Result<std::uint64_t> campaign_bytes(const Layout& layout, const CampaignPlan& campaign,
                                     std::size_t nodes);

// A campaign of `model` over all nodes, with the words that masked rounds add.
Result<Federated> federate(const Transformer& model, const std::vector<FleetNode>& nodes,
                           CampaignPlan campaign, int threads);

// A node's own model with its own adapter.
struct NodeModel {
  const Transformer* model = nullptr;
  AdapterSpec spec;
  std::vector<float> start;  // empty: fresh
  // Where its tokenizer is not the prompts': what it is heard through, and its text in its tokens.
  VocabularyBridge* bridge = nullptr;
  const TokenStream* text = nullptr;
  Hearing hearing = Hearing::kBytes;
};

// Every node tunes its own model on its own text, and nothing leaves it.
struct HomePlan {
  int steps = 300, batch = 8, window = 128;
  float lr = 5e-3f;
  std::uint64_t seed = 1;
  int threads = 1;
};
Result<std::vector<std::vector<float>>> tune_at_home(const std::vector<NodeModel>& models,
                                                     const std::vector<FleetNode>& nodes,
                                                     const HomePlan& plan);

// The mean of what nodes send as a masked sum gives it: clipped, rounded to a grid, added modulo
// the width of a word.
struct MaskedMean {
  std::vector<float> values;
  std::uint64_t bytes_up = 0;  // of one node
};
Result<MaskedMean> mean_of_masked(std::size_t nodes, const Grid& grid, double norm_max,
                                  std::uint64_t seed,
                                  const std::function<std::vector<float>(std::size_t)>& of_node);

// How often each id is in a node's text: the mean of the nodes' shares. What text that a model is
// to write can begin with.
Result<MaskedMean> shares_of_ids(const std::vector<FleetNode>& nodes, int vocab,
                                 std::uint64_t seed);

struct AnswerPlan {
  float temperature = 1;
  ConfidencePlan confidence;
  MeanReading reading;
  int bits = 10;  // of one rounded value
  std::uint64_t seed = 1;
  bool untuned = false;  // a control: nodes answer with the models that they started from
};

struct JointAnswer {
  Lesson lesson;
  std::uint64_t bytes_up = 0;  // of one node
};

// The mean of what all nodes say, out of the rounded sum of their vectors. A sequence that shares
// kOwnRun tokens in a row with a node's own text has that node's confidence 0.
Result<JointAnswer> answer_together(const std::vector<NodeModel>& models,
                                 const std::vector<std::vector<float>>& adapters,
                                 const std::vector<FleetNode>& nodes, Prompts prompts,
                                 CandidateSets candidates, const AnswerPlan& plan);

}  // namespace freshet
