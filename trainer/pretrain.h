#pragma once
// Training of all weights of a small model from random ones: how the models under models/ were
// made. AdamW, warm-up, cosine, gradient clipping; products in bf16 where the processor has it,
// weights and moments in f32. This header needs no LibTorch.

#include <functional>
#include <span>

#include "model/language_model.h"

namespace freshet {

struct PretrainPlan {
  int steps = 10'000, batch = 16, window = 256, warmup = 100;
  double minutes_max = 0;  // > 0: the schedule ends after this time if the steps have not
  float lr = 2e-3f, lr_end = 1e-4f, weight_decay = 0.1f, norm_max = 1;
  std::uint64_t seed = 1;
  int report_every = 100;
  bool bf16 = false;
};

struct PretrainPoint {
  int step = 0;
  double seconds = 0, train_loss = 0, lr = 0;  // loss: mean in nats per token since the last point
};

// What to measure on, while training and at its end.
struct PretrainText {
  std::span<const TokenId> train, valid;
  std::uint64_t valid_bytes = 0;
};

// Calls `report` every plan.report_every steps and at the end, with the weights as a bf16
// safetensors file. Ends early with the error that it gives. `start`: a safetensors file to go on
// from, with fresh optimiser state; empty: random weights. kBadInput for too little text, a start
// of another shape, or a loss that is no number.
using PretrainReport = std::function<Result<void>(const PretrainPoint&, const Evaluation& valid,
                                                  const Bytes& safetensors)>;
Result<void> pretrain_model(const ModelConfig& config, const PretrainPlan& plan,
                            const PretrainText& text, ByteView start, const PretrainReport& report);

}  // namespace freshet
