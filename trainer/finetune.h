#pragma once
// What the trainer does with one model and one text: LoRA training as a campaign asks for it, and
// measuring.

#include <functional>
#include <span>

#include "model/language_model.h"
#include "trainer/training/train_plan.h"
#include "trainer/transformer/transformer.h"

namespace freshet {

using StepDone = std::function<void(int done, int total)>;

// `adapter` empty: starts from initial_adapter() of plan.seed. kBadInput if the adapter's size is
// not the layout's, the text is shorter than a window, or a loss stops being finite (says what to
// lower).
Result<Finetuned> finetune(const Transformer& model, const FinetunePlan& plan,
                           const std::vector<float>& adapter, const TokenStream& text,
                           const StepDone& step_done);

// How much of a text is measured at a time: memory against speed.
struct EvaluationRoom {
  std::int64_t rows_max = 2048;  // tokens of a pass; one window at least, eight at most
  std::int64_t head_rows = 256;  // logits that exist at a time
};
EvaluationRoom room_of(const TrainPlan& plan);  // no more than the passes of such a training take

// Sum of losses over `tokens` in windows of `window`, each seeing only itself; of those that count
// where `counts` (by token) is not empty. kBadInput for no whole token to predict.
Result<Evaluation> evaluate(const Transformer& model, const AdapterSpec& spec,
                            const std::vector<float>& adapter, std::span<const TokenId> tokens,
                            std::uint64_t bytes, int window, const StepDone& step_done,
                            std::span<const std::uint8_t> counts = {},
                            const EvaluationRoom& room = {});

}  // namespace freshet
