#pragma once
// Every number of the demo that is a choice: how much text, how many rounds and steps, which
// learning rates.

#include <cstddef>
#include <cstdint>

#include "base/limits.h"

namespace freshet::demo {

struct Settings {
  std::size_t private_bytes;  // a node
  std::size_t public_bytes;
  std::uint32_t rounds;
  int local_steps, local_batch, window;
  float local_lr;
  int lora_rank;
  float lora_alpha;
  int distill_steps, distill_batch;
  float distill_lr, distill_weight;  // weight: of what the SLM learned, beside the plain loss
  double after_rounds_s;  // about what is left after the last round: distillation, training alone,
                          // audits
};

inline constexpr double kHeldoutShare = 0.1;  // of each folder, as nodes do

inline constexpr Settings kFull{
    .private_bytes = 300 * limits::kKiB,
    .public_bytes = 500 * limits::kKiB,
    .rounds = 12,
    .local_steps = 10,
    .local_batch = 8,
    .window = 128,
    .local_lr = 5e-3f,
    .lora_rank = 8,
    .lora_alpha = 16,
    .distill_steps = 150,
    .distill_batch = 8,
    .distill_lr = 2e-3f,
    .distill_weight = 0.5f,
    .after_rounds_s = 60,
};

inline constexpr Settings kQuick{
    .private_bytes = 150 * limits::kKiB,
    .public_bytes = 200 * limits::kKiB,
    .rounds = 3,
    .local_steps = 8,
    .local_batch = 8,
    .window = 128,
    .local_lr = 5e-3f,
    .lora_rank = 8,
    .lora_alpha = 16,
    .distill_steps = 30,
    .distill_batch = 8,
    .distill_lr = 2e-3f,
    .distill_weight = 0.5f,
    .after_rounds_s = 20,
};

inline constexpr std::size_t kNodesDefault = 8;

}  // namespace freshet::demo
