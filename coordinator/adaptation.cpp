#include "coordinator/adaptation.h"

#include <fcntl.h>

#include <algorithm>

#include "base/json.h"
#include "base/log.h"
#include "model/files/peft_adapter.h"
#include "model/text/corpus.h"

namespace freshet {
namespace {

constexpr RequestId kLoadSlm{1}, kLoadLlm{2}, kOpenPublic{3}, kControl{4}, kTeach{5};
constexpr const char* kPublicText = "public";

TeachPlan teach_plan(const AdaptPlan& adapt, bool control) {
  TeachPlan plan;
  plan.of_public = control || has(adapt, Way::kDistill);
  plan.of_written = !control && has(adapt, Way::kGenerate);
  plan.of_answers = !control && has(adapt, Way::kLogits);
  plan.silence = adapt.silence;
  plan.sharpen = adapt.sharpen;
  plan.keeping = adapt.keeping;
  plan.public_sequences = adapt.public_sequences;
  plan.written_sequences = adapt.written_sequences;
  plan.own_sequences = adapt.own_sequences;
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

// As the nodes had it.
Result<OpenFile> open_question(const Path& folder, const Digest& question) {
  const Path path = folder / "adapters" / to_hex(question);
  UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return tl::unexpected(errno_error("cannot open", path));
  return OpenFile{"question", std::move(file)};
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
  TRY(trainer_.submit(LoadModel{kLoadSlm, Slot::kSlm, std::move(slm), task_.trainer.threads}));
  TRY(trainer_.submit(LoadModel{kLoadLlm, Slot::kLlm, std::move(llm), task_.trainer.threads}));
  const bool has_public = !file.adapt.public_text.empty();
  if (has_public) {
    TRY_ASSIGN(std::vector<OpenFile> text, open_text_folder(file.adapt.public_text));
    TRY(trainer_.submit(
        OpenText{kOpenPublic, kPublicText, std::move(text), 0, file.adapt.window, Slot::kLlm}));
  }
  const LoraPlan& lora = file.plan.lora;
  for (RequestId id : {kControl, kTeach}) {
    if (id == kControl && !has_public) continue;
    ++runs_;
    Teach teach;
    teach.id = id;
    teach.teacher_spec = {lora.rank, lora.alpha, lora.targets};
    const bool asked = has(file.adapt, Way::kLogits);
    (asked ? teach.answers : teach.teacher_adapter) = task_.teacher;
    if (asked) {
      TRY_ASSIGN(teach.question, open_question(task_.folder, file.plan.logits.question));
    }
    teach.plan = teach_plan(file.adapt, id == kControl);
    if (asked) teach.plan.temperature = file.plan.logits.temperature;
    if (has_public) teach.corpus = kPublicText;
    TRY(trainer_.submit(std::move(teach)));
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
  auto* taught = std::get_if<Taught>(&reply);
  if (taught == nullptr) return false;
  const bool control = taught->id == kControl;
  const Path folder = task_.folder / (control ? "llm_adapter_public_only" : "llm_adapter");
  if (!llm_) return fail(Code::kCorrupt, "the trainer answered out of order");
  const AdaptPlan& adapt = task_.file.adapt;
  TRY(write_peft_folder(folder, *llm_,
                        {{adapt.rank, adapt.alpha, {}}, taught->student.adapter, adapt.llm}));
  log::info("{}: written, loss {:.3f} -> {:.3f} in {:.1f} s", folder.string(),
            taught->student.first_loss, taught->student.last_loss, taught->student.seconds);
  ++runs_done_;
  step_ = 0;
  return !control;
}

Adaptation::Steps Adaptation::steps() const {
  const auto steps = static_cast<std::uint64_t>(task_.file.adapt.steps);
  return {runs_done_ * steps + std::min(step_, steps), runs_ * steps};
}

Result<void> publish_without_training(const CampaignFile& file, const Path& folder,
                                      const ModelConfig& slm, const std::vector<float>& adapter) {
  const LoraPlan& lora = file.plan.lora;
  if (has(file.adapt, Way::kDirect))
    TRY(write_peft_folder(folder / "llm_adapter", slm,
                          {{lora.rank, lora.alpha, lora.targets}, adapter, file.adapt.llm}));
  if (!has(file.adapt, Way::kProxy)) return {};
  const Json proxy = {{"model", file.adapt.llm},
                      {"adapter", trains(file.adapt) ? Json("llm_adapter") : Json(nullptr)},
                      {"proxy_base", file.model},
                      {"proxy_tuned", "slm_adapter"},
                      {"proxy_weight", file.adapt.proxy_weight}};
  return write_file_durably(folder / "llm_proxy.json", as_bytes(to_text(proxy, 2) + "\n"), 0600);
}

}  // namespace freshet
