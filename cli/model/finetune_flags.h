#pragma once
// What a person says to `freshet model finetune`, checked as far as flags alone go.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/flags.h"
#include "base/result.h"
#include "trainer/training/train_plan.h"

namespace freshet {

struct FinetuneFlags {
  std::string model, data, out, init, memory_max;
  std::string optimizer = "adamw", schedule = "cosine", order = "shuffled", method = "backprop",
              precision = "auto", device = "cpu";
  AdapterSpec adapter;
  int steps = 0;
  double epochs = 1;
  int batch = 4, window = 0, accumulate = 1,
      micro_batch = 0;  // window 0: 256, or the model's positions if fewer
  std::optional<float> lr;
  std::optional<int> warmup;
  float clip = 1, weight_decay = 0, mezo_step = 1e-3f;
  int mezo_seeds = 0, threads = 0, save_every = 0;
  double heldout = 0;
  double dp_epsilon = 0, dp_noise = 0, dp_delta = 1e-5, dp_budget = 0;
  float dp_clip = 1;
  std::string dp_folder;
  std::uint64_t seed = 1;
  bool recompute = false, resume = false, losses = false, force = false, json = false;

  bool mezo() const { return method == "mezo"; }
  bool is_private() const { return dp_epsilon > 0 || dp_noise > 0; }
  std::uint64_t memory_bytes = 0;  // what memory_max says; 0: no limit
};

// Adds the options to the verb.
void add_flags(Command& verb, FinetuneFlags& flags);

// Refuses flags that do not go together; fills memory_bytes.
void check_together(const Command& verb, FinetuneFlags& flags);

// The plan but for what model and text decide: window, steps, warm-up.
TrainPlan plan_of(const FinetuneFlags& flags);

// "1500M", "1.5G", "800000000" as bytes (K, M, G are powers of 1000, as file sizes are told).
// Nothing for another text.
std::optional<std::uint64_t> parse_size(const std::string& text);

}  // namespace freshet
