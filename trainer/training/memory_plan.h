#pragma once
// How much memory a training will take at its highest, said before it starts, and which way of
// doing it stays under a limit: smaller passes first, then activations made again, then weights in
// fewer bits.

#include <cstdint>
#include <string>

#include "model/adapter.h"
#include "trainer/training/train_plan.h"
#include "trainer/transformer/pass.h"

namespace freshet {

struct MemoryAsk {
  const ModelConfig& config;
  Precision precision = Precision::kF32;  // wanted
  bool precision_fixed = false;           // by a person: no other is tried
  const TrainPlan& plan;                  // what it fixes (micro_batch > 0, recompute) stays
  const Layout& layout;
  int threads = 1;
  std::uint64_t bytes_max = 0;      // 0: no limit
  std::uint64_t process_bytes = 0;  // resident before the model is loaded
  bool file_in_form =
      true;  // the file holds its matrices in the wanted precision, so they stay where it is mapped
  double file_entry_bytes =
      2;  // of an entry of a matrix that does not stay there, while it is read
};

struct MemoryChoice {
  Precision precision;
  TrainPlan plan;  // micro_batch, recompute and head_rows decided
  std::uint64_t predicted_bytes;
  std::string why;  // for people: what was given up for the limit; empty: nothing
};

// kBadInput, with the smallest limit that would do, where nothing fits.
Result<MemoryChoice> choose_memory(const MemoryAsk& ask);

// The highest resident size of such a training. What it counts: the process before, weights,
// activations, buffers, the adapter with its gradient and moments.
std::uint64_t predicted_bytes(const MemoryAsk& ask, Precision precision, const TrainPlan& plan);

std::uint64_t resident_bytes();       // of this process, now
std::uint64_t peak_resident_bytes();  // since it began

}  // namespace freshet
