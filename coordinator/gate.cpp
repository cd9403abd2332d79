#include "coordinator/gate.h"

#include <cmath>

#include "aggregation/robust/sum_audit.h"
#include "model/text/text_folder.h"

namespace freshet {
namespace {

constexpr RequestId kGateModel{1}, kGateOpen{2};
constexpr const char* kGateText = "public";
constexpr double kGateHeldOut = 0.1;
constexpr std::uint64_t kGateTokensMax =
    16'384;  // of the held-out part: a second's work for a small model

}  // namespace

Result<Gate> Gate::start(Task task) {
  TRY_ASSIGN(ModelFiles model, open_model_folder(task.model));
  TRY_ASSIGN(std::vector<OpenFile> text, open_text_folder(task.public_text));
  TRY_ASSIGN(TrainerProcess trainer, TrainerProcess::start(task.trainer));
  TRY(trainer.submit(LoadModel{kGateModel, Slot::kSlm, std::move(model), task.trainer.threads}));
  TRY(trainer.submit(
      OpenText{kGateOpen, kGateText, std::move(text), kGateHeldOut, task.window, Slot::kSlm}));
  Gate gate(std::move(task), std::move(trainer));
  gate.last_id_ = kGateOpen.value;
  return gate;
}

Result<void> Gate::ask(std::vector<float> current, std::vector<float> candidate) {
  before_.reset();
  before_id_ = {++last_id_};
  candidate_id_ = {++last_id_};
  TRY(measure(before_id_, std::move(current)));
  return measure(candidate_id_, std::move(candidate));
}

Result<void> Gate::measure(RequestId id, std::vector<float> adapter) {
  Evaluate evaluate;
  evaluate.id = id;
  evaluate.corpus = kGateText;
  evaluate.spec = task_.spec;
  evaluate.adapter = std::move(adapter);
  evaluate.window = task_.window;
  evaluate.tokens_max = kGateTokensMax;
  return trainer_.submit(std::move(evaluate));
}

Result<std::optional<Gate::Answer>> Gate::poll() {
  for (;;) {
    TRY_ASSIGN(std::optional<TrainerReply> reply, trainer_.receive());
    if (!reply) return std::nullopt;
    const RequestId id = id_of(*reply);
    // A candidate that cannot be measured, for its loss is no number, does not pass.
    if (auto* failed = std::get_if<Failed>(&*reply); failed != nullptr) {
      if (id == candidate_id_ && before_) return Answer{*before_, INFINITY, false};
      if (id == kGateModel || id == kGateOpen || id == before_id_)
        return fail_in("measuring public text", std::move(failed->error));
    }
    const auto* done = std::get_if<EvaluateDone>(&*reply);
    if (done == nullptr) continue;
    if (id == before_id_) before_ = done->evaluation.bits_per_byte();
    if (id != candidate_id_ || !before_) continue;
    const double candidate = done->evaluation.bits_per_byte();
    const bool passes = check_gate(*before_, candidate, task_.margin).has_value();
    return Answer{*before_, candidate, passes};
  }
}

}  // namespace freshet
