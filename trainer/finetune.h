#pragma once
// LoRA training of one model on one text: plain next-token loss, or distillation from a teacher on public text
// (FedCoLLM, arXiv:2411.11707: federate the small model, then let the large one learn from it).

#include <functional>

#include "model/language_model.h"
#include "trainer/llama.h"

namespace freshet {

using StepDone = std::function<void(int done, int total)>;

// `adapter` empty: starts from initial_adapter() of plan.seed. kBadInput if the adapter's size is not the layout's, the text
// is shorter than a window, or a loss stops being finite (says what to lower).
Result<Finetuned> finetune(const Llama& llama, const FinetunePlan& plan, const std::vector<float>& adapter,
                           std::span<const TokenId> tokens, const StepDone& step_done);

struct TeacherModel {
  const Llama& llama;
  AdapterSpec spec;
  const std::vector<float>& adapter;  // empty: the base model
};

// The student's adapter, trained on `tokens` with loss plain_weight * next-token + weight * distillation, where
// plain_weight = 1 - weight. Both models must share one tokenizer (kBadInput where the vocabularies differ in size).
Result<Finetuned> distill(const Llama& student, const TeacherModel& teacher, const DistillPlan& plan,
                          std::span<const TokenId> tokens, const StepDone& step_done);

// Sum of losses over `tokens` in windows of `window`, each seeing only itself. kBadInput for no whole token to predict.
Result<Evaluation> evaluate(const Llama& llama, const AdapterSpec& spec, const std::vector<float>& adapter,
                            std::span<const TokenId> tokens, std::uint64_t bytes, int window, const StepDone& step_done);

}  // namespace freshet
