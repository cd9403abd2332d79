#pragma once
// The factors of a LoRA adapter as the passes use them: pointers into one flat vector in
// adapter_layout() order, and the same places in a gradient vector.

#include <vector>

#include "model/adapter.h"
#include "model/model_config.h"

namespace freshet {

struct LoraFactor {
  const float* a = nullptr;  // [rank, in]
  const float* b = nullptr;  // [out, rank]
  float* da = nullptr;       // null: not trained
  float* db = nullptr;
  int rank = 0;  // 0: no adapter here
  float scale = 0;
  bool trained() const { return da != nullptr || db != nullptr; }
};

class Lora {
 public:
  Lora() = default;  // no adapter
  // `gradient` may be null: nothing is trained. Both vectors are the caller's, of layout.size, and
  // outlive this.
  Lora(const ModelConfig& config, const Layout& layout, const float* values, float* gradient,
       bool train_a, bool train_b);

  const LoraFactor& factor(int layer, std::size_t linear) const;
  int rank_max() const;
  int lowest_trained() const {
    return lowest_;
  }  // layer; the number of layers where nothing is trained

 private:
  std::vector<std::vector<LoraFactor>> layers_;
  int lowest_ = 1 << 30;
};

}  // namespace freshet
