#pragma once
// The batches of a training, in the order that its plan says; the same plan and text give the same
// batches.

#include <cstdint>
#include <span>
#include <vector>

#include "base/rng.h"
#include "model/text/packing.h"
#include "model/text/token_stream.h"
#include "trainer/training/train_plan.h"
#include "trainer/transformer/pass.h"

namespace freshet {

class Batches {
 public:
  // kBadInput where the text has not one window, or nothing in it counts. REQUIRES: stream outlives
  // this.
  static Result<Batches> make(const TokenStream& stream, const TrainPlan& plan);

  TokenBatch next();            // plan.batch * plan.accumulate sequences
  void skip(int steps);         // as if next() had been called so many times
  int steps_per_epoch() const;  // packed orders; 0 for windows

 private:
  Batches(const TokenStream& stream, const TrainPlan& plan);
  const PackedRow& packed_row();
  std::size_t draw();

  const TokenStream* stream_;
  int window_, sequences_;
  Order order_;
  std::uint64_t seed_;
  Rng rng_;
  std::vector<PackedRow> rows_;
  std::vector<std::uint32_t> epoch_;
  std::uint64_t taken_ = 0;  // rows
};

// One window of a stream from `start` on as row `row` of a batch: what is of another document than
// a token is not seen by it.
void fill_window(const TokenStream& stream, std::size_t start, int row, TokenBatch& batch);
TokenBatch empty_batch(int sequences, int time);
std::int64_t targets_of(const TokenBatch& batch);  // that count

// Rows [first, first + count) of a batch.
TokenBatch part_of(const TokenBatch& batch, int first, int count);

}  // namespace freshet
