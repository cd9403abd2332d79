#pragma once
// What several ways of one experiment share, each made when it is first asked for: the federated
// small model, the text that there is, the lessons in which the large model keeps what it knew.

#include <memory>
#include <optional>

#include "simulations/adapt/experiment_folder.h"

namespace freshet {

class AdaptBench {
 public:
  AdaptBench(const AdaptPair& pair, AdaptRecipe recipe, std::vector<NodeModel> node_models,
             ExperimentFolder kept);

  const AdaptPair& pair() const { return pair_; }
  const AdaptRecipe& recipe() const { return recipe_; }
  const std::vector<NodeModel>& node_models() const { return node_models_; }
  const Lora& none() const { return none_; }
  const ExperimentFolder& kept() const { return kept_; }

  Result<const Federated*> federated();  // the small model
  // Of any model; where `name` was kept, not again.
  Result<Federated> federate_once(const std::string& name, const Transformer& model,
                                  const CampaignPlan& campaign);
  Result<const Worn*> tuned();  // with that adapter
  Result<const Prompts*> public_prompts();
  Result<const Prompts*> written();          // by the tuned small model
  Result<const Prompts*> written_untuned();  // by its base
  // By the large model as it is now, in round `round` of asking; from the nodes' beginnings.
  Result<Prompts> written_by_large(const Lora& lora, int round);
  Result<const Lesson*> keeping();  // what the large model writes, and what it says of that
  std::uint64_t beginnings_bytes() const { return beginnings_bytes_; }  // for written(), of a node
  const Prompts* written_if_any() const { return written_ ? &*written_ : nullptr; }

  // Of a teacher; of one that moves the student's base where `moved`.
  Lesson taught_by_slm(const Prompts& prompts, const Lora& tuned, bool moved);

  // The large model, trained on lessons for `batch` - `keeping` sequences of each step together,
  // and on keeping() for the rest. Weights of `shares` are as they are given; `start` may be null;
  // steps 0: the recipe's.
  Result<std::shared_ptr<const Worn>> learn(std::vector<LessonShare> shares,
                                            const Worn* start = nullptr, int steps = 0);

  Result<Score> score_of(const Transformer& model, const Lora& lora);

 private:
  Result<Prompts> write(const Transformer& model, const Lora& lora, std::int64_t sequences,
                        std::uint64_t stream, std::vector<double> beginnings = {});
  Result<const std::vector<double>*> beginnings();

  AdaptPair pair_;
  AdaptRecipe recipe_;
  std::vector<NodeModel> node_models_;
  ExperimentFolder kept_;
  Lora none_;
  std::optional<Federated> federated_;
  std::unique_ptr<Worn> tuned_;
  std::optional<Prompts> public_, written_, untuned_;
  std::optional<Lesson> keeping_;
  std::vector<double> beginnings_;
  std::uint64_t beginnings_bytes_ = 0;
};

}  // namespace freshet
