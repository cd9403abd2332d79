#pragma once
// The weights of a model one piece after another in f32, with an adapter folded in where there is one: what every
// writer of models reads from. Never more than one piece is held.

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "model/files/adapter_fold.h"
#include "model/files/weights.h"

namespace freshet {

// Told after each piece; an error from it ends the writing.
using OnProgress = std::function<Result<void>(std::uint64_t done_bytes, std::uint64_t total_bytes)>;

// Some rows of one weight as Hugging Face lays them out: `count` rows from `first` on.
struct WeightPiece {
  std::int64_t first, count;
  std::span<float> values;
};

// Calls `take` with every piece of `weight`, in order; `fold` may be null. With `whole`, in one piece.
Result<void> for_each_piece(const WeightView& weight, const AdapterFold* fold, bool whole,
                            const std::function<Result<void>(const WeightPiece&)>& take);

// The bytes of `values` in a plain type or Q8_0. kBadInput, naming the weight, where a number is too large for F16.
// REQUIRES: kF32, kF16, kBF16 or kQ8_0; for kQ8_0 a multiple of 32 values.
Result<Bytes> to_weight_bytes(std::span<const float> values, WeightType type, std::string_view weight);

}  // namespace freshet
