#pragma once
// What the trainer process does, the models and texts that its daemon gave it, and the work on
// them.

#include <map>
#include <optional>
#include <string>

#include "trainer/model_folder.h"
#include "trainer/service.h"

namespace freshet {

class ModelBackend final : public TrainerBackend {
 public:
  Result<ModelLoaded> load_model(LoadModel request, const OnProgress& on_progress) override;
  Result<TextOpened> open_text(OpenText request, const OnProgress& on_progress) override;
  Result<Finetuned> finetune(const Finetune& request, const OnProgress& on_progress) override;
  Result<Evaluation> evaluate(const Evaluate& request, const OnProgress& on_progress) override;
  Result<Finetuned> teach(const Teach& request, const OnProgress& on_progress) override;
  Result<std::vector<float>> answer(const Answer& request, const OnProgress& on_progress) override;

 private:
  Result<const LoadedModel*> model(Slot slot) const;
  Result<const Corpus*> corpus(const std::string& name) const;

  std::map<Slot, LoadedModel> models_;
  std::map<std::string, Corpus> corpora_;
};

}  // namespace freshet
