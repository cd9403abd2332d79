#pragma once
// How the cloud model learns from the federated small one, in the ways that the campaign's file
// names: a trainer process loads both and makes lessons of public text and of text that the small
// one writes. Where there is public text, a control learns on that alone. Results are written as
// PEFT folders. Deterministic, so a coordinator that was killed does it again from the start.

#include <optional>
#include <string>

#include "coordinator/campaign_store.h"
#include "model/process/trainer_process.h"

namespace freshet {

class Adaptation {
 public:
  struct Task {
    CampaignFile file;
    std::vector<float> teacher;  // the published adapter of the SLM, or the mean of answers
    Path folder;  // of the campaign: llm_adapter_public_only/ and llm_adapter/ appear in it
    TrainerOptions trainer;
  };
  // Starts the trainer and hands it everything. Errors as of the folders and of TrainerProcess.
  static Result<Adaptation> start(Task task);

  int descriptor() const { return trainer_.fd(); }
  // True once the adapters are written. kUnavailable: the trainer died.
  Result<bool> poll();

  struct Steps {
    std::uint64_t done = 0, total = 0;  // optimiser steps of all runs
  };
  Steps steps() const;

 private:
  Adaptation(Task task, TrainerProcess trainer)
      : task_(std::move(task)), trainer_(std::move(trainer)) {}
  Result<void> ask_for_everything();
  Result<bool> take(TrainerReply reply);

  Task task_;
  TrainerProcess trainer_;
  std::optional<ModelConfig> llm_;
  std::uint64_t runs_ = 0, runs_done_ = 0, step_ = 0;
};

// What the ways that train nothing leave in the folder: `direct` the federated adapter as the cloud
// model's, `proxy` a note of the models that write together (llm_proxy.json).
Result<void> publish_without_training(const CampaignFile& file, const Path& folder,
                                      const ModelConfig& slm, const std::vector<float>& adapter);

}  // namespace freshet
