#pragma once
// Every way in which the large model learns of the nodes, and the controls that say what it would
// have learned without them.

#include <memory>
#include <optional>
#include <string>

#include "simulations/adapt/experiment_folder.h"

namespace freshet {

// One seed's experiment. What several ways need (the federated small model, what it wrote) is made
// once, when first asked for.
class Ways {
 public:
  // REQUIRES: pair and what it points to outlive this. `node_models` may be empty: every node has
  // the small model.
  // What `kept` holds is not made again.
  Ways(const AdaptPair& pair, AdaptRecipe recipe, std::vector<NodeModel> node_models,
       ExperimentFolder kept = {});
  ~Ways();

  // What run() knows, in the order in which it is best asked for.
  static const std::vector<std::string>& names();

  // kBadInput for another name.
  Result<WayOutcome> run(const std::string& name);

  // What the federated small model wrote, if a way asked for it: to be searched for private text.
  const Prompts* written() const;

 private:
  struct Bench;
  std::unique_ptr<Bench> bench_;
};

}  // namespace freshet
