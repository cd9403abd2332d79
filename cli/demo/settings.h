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
  int teach_steps, teach_batch;    // of the cloud model
  float teach_lr, teacher_weight;  // weight: of the teacher beside the plain loss on public text
  int written_sequences;           // that the small model writes for it
  float proxy_weight;              // of the small model's shift, while the cloud model writes
  int oracle_steps;                // of the cloud model on all private text, to compare
  double
      after_rounds_s;  // about what is left after the last round: teaching, training alone, audits
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
    .teach_steps = 120,
    .teach_batch = 8,
    .teach_lr = 4e-3f,
    .teacher_weight = 0.5f,
    .written_sequences = 160,
    .proxy_weight = 0.5f,
    .oracle_steps = 150,
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
    .teach_steps = 20,
    .teach_batch = 8,
    .teach_lr = 4e-3f,
    .teacher_weight = 0.5f,
    .written_sequences = 64,
    .proxy_weight = 0.5f,
    .oracle_steps = 30,
    .after_rounds_s = 20,
};

inline constexpr std::size_t kNodesDefault = 8;

}  // namespace freshet::demo
