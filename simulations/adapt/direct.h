#pragma once
// An oracle that only an experiment can have: the large model tuned on all nodes' private text in
// one place, its learning rate swept, stopped where text that was kept back from it is predicted
// best. What is held out to measure with is seen by neither choice.

#include "simulations/adapt/pair.h"

namespace freshet {

struct DirectPlan {
  AdapterSpec adapter;
  int steps = 800, batch = 8, window = 128, look_every = 200;
  std::vector<float> rates = {4e-3f, 8e-3f};
  std::uint64_t seed = 1;
};

struct Direct {
  std::vector<float> adapter;
  float rate = 0;
  int step = 0;             // where it was stopped
  bool at_the_end = false;  // the best step was the last one: more steps might have been better
  bool at_an_edge = false;  // the best rate was the lowest or highest of the sweep
  double seconds = 0;       // of the whole sweep
};

Result<Direct> tune_directly(const AdaptPair& pair, const Transformer& model,
                             const DirectPlan& plan);

// The text of all nodes as one stream, less the last `kept_back` share of every document, which
// goes to `kept`.
TokenStream pool(const std::vector<FleetNode>& nodes, double kept_back, TokenStream& kept);

}  // namespace freshet
