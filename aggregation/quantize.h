#pragma once
// Fixed-point updates on a grid shared by all nodes, rounded without bias, so that sums are exact
// integer arithmetic (SecAgg needs that; see Bonawitz et al. 2017, and docs/protocol.md for the
// layout of the words).

#include <cstdint>
#include <functional>
#include <span>

#include "aggregation/updates.h"
#include "base/result.h"

namespace freshet {

// The grid: value v in [-range, range] becomes round((v + range) * (2^bits - 1) / (2 * range))
// before weighting.
struct Grid {
  float range = 0;  // per-entry bound; an entry outside is clamped (the clip bounds it already)
  int bits = 16;    // 2..limits::kQuantizationBitsMax
  std::uint32_t weight_max = 1;  // W: the largest weight any node may claim
  bool operator==(const Grid&) const = default;
};

// Bits of one word of a sum over n updates: ceil(log2(n * (2^bits - 1) * W + 1)). kBadInput above
// 32, or where the grid itself is out of bounds; so sum_bits(grid, 1) says whether a grid is valid,
// and how wide one update's words are.
Result<int> sum_bits(const Grid& grid, std::uint32_t updates_max);

// Fills a span with uniform 32-bit numbers: the stochastic rounding, from the contribution's keyed
// generator.
using FillRandom = std::function<void(std::span<std::uint32_t>)>;

// words = weight * z per entry, then the weight itself; z = floor((v + range) * (2^bits - 1) / (2 *
// range) + u) with u in [0, 1), so E[z] is exact. REQUIRES: grid valid, 1 <= weight <= weight_max,
// values finite.
QuantizedUpdate quantize(const ClippedUpdate& update, const Grid& grid,
                         const FillRandom& fill_random);

// kBadInput if the size differs, or if a word is not weight * z for an allowed z and the update's
// own weight (a lying node); `sum` is then as before. REQUIRES: sum_bits(grid, sum.count + 1) is no
// error (the plan bounds the cohort).
Result<void> add(QuantizedSum& sum, const QuantizedUpdate& update, const Grid& grid);

// (word * 2 range) / ((2^bits - 1) * total weight) - range. kBadInput if the total weight is zero
// or a word is above it. REQUIRES: sum.count > 0.
Result<MeanUpdate> dequantize_mean(const QuantizedSum& sum, const Grid& grid);

}  // namespace freshet
