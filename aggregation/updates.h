#pragma once
// The ladder of types that an update climbs on a node, and that the sum comes down on the
// coordinator. Each rung is made only by the function named beside it, so a wrong order does not
// compile. There is no way from Update, ClippedUpdate or QuantizedUpdate to the wire: only a
// SealedUpdate (crypto/, mode `trusted-coordinator`) has an encoder.

#include <cstdint>
#include <vector>

namespace freshet {

// What a node learned in one round: `values` in the order of the phase's layout, relative to the
// version that it started from (after - before). `weight` counts training examples, capped by the
// node's own policy.
struct Update {
  std::vector<float> values;
  std::uint32_t weight = 1;
};

struct ClippedUpdate {  // clip(): L2 norm <= the plan's clip, all values finite
  std::vector<float> values;
  std::uint32_t weight = 1;
};

struct QuantizedUpdate {  // quantize(): words[i] in [0, 2^bits), times weight/weight_max; last word
                          // is the weight
  std::vector<std::uint32_t> words;
};

struct QuantizedSum {  // add(): word-wise sum over `count` updates, modulo 2^sum_bits
  std::vector<std::uint32_t> words;
  std::uint32_t count = 0;
};

struct MeanUpdate {  // dequantize_mean(): the weighted mean of the clipped updates
  std::vector<float> values;
  double total_weight = 0;
  std::uint32_t count = 0;
};

}  // namespace freshet
