#pragma once
// W + scale B A (Hu et al. 2021, arXiv:2106.09685): an adapter folded into the weights of its model, some rows at a
// time, in f32.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/adapter.h"
#include "model/model_config.h"

namespace freshet {

class AdapterFold {
 public:
  // kBadInput as adapter_layout(). REQUIRES: as many values as the layout has entries.
  static Result<AdapterFold> make(const ModelConfig& config, const AdapterSpec& spec,
                                  std::vector<float> values);

  bool adapts(std::string_view weight) const;  // "model.layers.0.self_attn.q_proj.weight"

  // Adds what the adapter says to rows [first, first + count) of a weight, as weight_shapes() lays it out. Does nothing
  // to a weight that is not adapted.
  void add_to_rows(std::string_view weight, std::int64_t first, std::int64_t count, float* rows) const;

 private:
  struct Factors {
    LayoutEntry a, b;   // [rank, in], [out, rank]
    bool transposed;    // the weight is [in, out]
  };
  std::map<std::string, Factors, std::less<>> factors_;  // by weight
  std::vector<float> values_;
};

}  // namespace freshet
