#pragma once
// Fixed-point updates on a grid shared by all nodes, rounded without bias, so that sums are exact integer arithmetic
// (SecAgg needs that; see Bonawitz et al. 2017, and docs/protocol.md for the layout of the words).

#include <cstdint>
#include <functional>

#include "aggregation/updates.h"
#include "base/result.h"

namespace freshet {

// The grid: value v in [-range, range] becomes round((v + range) * (2^bits - 1) / (2 * range)) before weighting.
struct Grid {
  float range = 0;               // per-entry bound; an entry outside is clamped (the clip bounds it already)
  int bits = 16;                 // 2..limits::kQuantizationBitsMax
  std::uint32_t weight_max = 1;  // W: the largest weight any node may claim
  bool operator==(const Grid&) const = default;
};

// Bits of one word of a sum over n updates: ceil(log2(n * (2^bits - 1) * W + 1)); an error above 32.
Result<int> sum_bits(const Grid& grid, std::uint32_t updates_max);

// `uniform()` gives u in [0, 1) for stochastic rounding, from the contribution's keyed generator.
// words = weight * z per entry, then the weight itself. REQUIRES: grid valid, 1 <= weight <= weight_max.
QuantizedUpdate quantize(const ClippedUpdate& update, const Grid& grid, const std::function<double()>& uniform);

// kBadInput if the size differs or a word is outside what `grid` allows for its own weight (a lying node).
Result<void> add(QuantizedSum& sum, const QuantizedUpdate& update, const Grid& grid);

// REQUIRES: sum.count > 0. kBadInput if the total weight is zero.
Result<MeanUpdate> dequantize_mean(const QuantizedSum& sum, const Grid& grid);

}  // namespace freshet
