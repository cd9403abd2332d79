#include "trainer/transformer/lora.h"

#include <algorithm>
#include <unordered_map>

#include "base/check.h"
#include "model/modules.h"

namespace freshet {
namespace {

const LoraFactor kNone;

}  // namespace

Lora::Lora(const ModelConfig& config, const Layout& layout, const float* values, float* gradient,
           bool train_a, bool train_b) {
  const std::vector<LinearModule> modules = linear_modules(config);
  layers_.assign(static_cast<std::size_t>(config.layers), std::vector<LoraFactor>(modules.size()));
  std::unordered_map<std::string, LoraFactor*> by_name;
  std::unordered_map<std::string, int> layer_of;
  for (int l = 0; l < config.layers; ++l)
    for (std::size_t m = 0; m < modules.size(); ++m) {
      const std::string name = layer_prefix(config, l) + std::string(modules[m].path);
      by_name[name] = &layers_[static_cast<std::size_t>(l)][m];
      layer_of[name] = l;
    }
  for (const LayoutEntry& entry : layout.entries) {
    const auto found = by_name.find(entry.module);
    CHECK(found != by_name.end(), "no module {}", entry.module);
    LoraFactor& factor = *found->second;
    const bool is_a = entry.factor == Factor::kA;
    (is_a ? factor.a : factor.b) = values + entry.offset;
    factor.rank = is_a ? entry.rows : entry.columns;
    factor.scale = entry.scale;
    if (gradient == nullptr || !(is_a ? train_a : train_b)) continue;
    (is_a ? factor.da : factor.db) = gradient + entry.offset;
    lowest_ = std::min(lowest_, layer_of[entry.module]);
  }
}

const LoraFactor& Lora::factor(int layer, std::size_t linear) const {
  return layers_.empty() ? kNone : layers_[static_cast<std::size_t>(layer)][linear];
}

int Lora::rank_max() const {
  int highest = 0;
  for (const auto& layer : layers_)
    for (const LoraFactor& factor : layer) highest = std::max(highest, factor.rank);
  return highest;
}

}  // namespace freshet
