#include "coordinator/adaptation.h"

#include <algorithm>

#include "base/log.h"
#include "model/text/corpus.h"
#include "model/files/peft_adapter.h"

namespace freshet {
namespace {

constexpr RequestId kLoadSlm{1}, kLoadLlm{2}, kOpenPublic{3}, kControl{4}, kDistill{5};
constexpr const char* kPublicText = "public";

DistillPlan distill_plan(const AdaptPlan& adapt, bool control) {
  DistillPlan plan;
  plan.adapter = {adapt.rank, adapt.alpha, {}};
  plan.steps = adapt.steps;
  plan.batch = adapt.batch;
  plan.window = adapt.window;
  plan.lr = adapt.lr;
  plan.top_k = adapt.top_k;
  plan.temperature = adapt.temperature;
  plan.weight = control ? 0 : adapt.weight;
  plan.weight_end = control ? 0 : adapt.weight_end;
  plan.shift = adapt.shift;
  plan.seed = adapt.seed;
  return plan;
}

}  // namespace

Result<Adaptation> Adaptation::start(Task task) {
  TRY_ASSIGN(TrainerProcess trainer, TrainerProcess::start(task.trainer));
  Adaptation adaptation(std::move(task), std::move(trainer));
  TRY(adaptation.ask_for_everything());
  return adaptation;
}

Result<void> Adaptation::ask_for_everything() {
  const CampaignFile& file = task_.file;
  TRY_ASSIGN(ModelFiles slm, open_model_folder(file.model));
  TRY_ASSIGN(ModelFiles llm, open_model_folder(file.adapt.llm));
  TRY_ASSIGN(std::vector<OpenFile> text, open_text_folder(file.adapt.public_text));
  TRY(trainer_.submit(LoadModel{kLoadSlm, Slot::kSlm, std::move(slm), task_.trainer.threads}));
  TRY(trainer_.submit(LoadModel{kLoadLlm, Slot::kLlm, std::move(llm), task_.trainer.threads}));
  TRY(trainer_.submit(
      OpenText{kOpenPublic, kPublicText, std::move(text), 0, file.adapt.window, Slot::kLlm}));
  const LoraPlan& lora = file.plan.lora;
  for (RequestId id : {kControl, kDistill}) {
    Distill distill;
    distill.id = id;
    distill.teacher_spec = {lora.rank, lora.alpha, lora.targets};
    distill.teacher_adapter = task_.teacher;
    distill.plan = distill_plan(file.adapt, id == kControl);
    distill.corpus = kPublicText;
    TRY(trainer_.submit(std::move(distill)));
  }
  return {};
}

Result<bool> Adaptation::poll() {
  for (;;) {
    TRY_ASSIGN(std::optional<TrainerReply> reply, trainer_.receive());
    if (!reply) return false;
    TRY_ASSIGN(bool done, take(std::move(*reply)));
    if (done) return true;
  }
}

Result<bool> Adaptation::take(TrainerReply reply) {
  if (auto* failed = std::get_if<Failed>(&reply))
    return fail_in("adapting the cloud model", std::move(failed->error));
  if (auto* loaded = std::get_if<ModelLoaded>(&reply);
      loaded != nullptr && loaded->slot == Slot::kLlm)
    llm_ = loaded->config;
  if (auto* progress = std::get_if<Progress>(&reply);
      progress != nullptr && progress->id >= kControl)
    step_ = progress->done;
  auto* distilled = std::get_if<DistillDone>(&reply);
  if (distilled == nullptr) return false;
  const bool control = distilled->id == kControl;
  const Path folder = task_.folder / (control ? "llm_adapter_public_only" : "llm_adapter");
  if (!llm_) return fail(Code::kCorrupt, "the trainer answered out of order");
  const AdaptPlan& adapt = task_.file.adapt;
  TRY(write_peft_folder(folder, *llm_,
                        {{adapt.rank, adapt.alpha, {}}, distilled->student.adapter, adapt.llm}));
  log::info("{}: written, loss {:.3f} -> {:.3f} in {:.1f} s", folder.string(),
            distilled->student.first_loss, distilled->student.last_loss,
            distilled->student.seconds);
  ++runs_done_;
  step_ = 0;
  return !control;
}

Adaptation::Steps Adaptation::steps() const {
  const auto steps = static_cast<std::uint64_t>(task_.file.adapt.steps);
  return {runs_done_ * steps + std::min(step_, steps), 2 * steps};
}

}  // namespace freshet
