#pragma once
// A model of random weights that stands in memory alone, of any architecture and size.

#include <cmath>
#include <memory>
#include <vector>

#include "base/rng.h"
#include "model/files/safetensors_writer.h"
#include "model/files/weights.h"
#include "model/modules.h"
#include "tests/trainer/memory_files.h"

namespace freshet {

// Matrices uniform in +-scale, vectors 1.
inline std::shared_ptr<const Weights> random_weights(const ModelConfig& config, Dtype dtype,
                                                     std::uint64_t seed, float scale = 0.05f) {
  Rng rng(seed);
  std::vector<std::vector<float>> values;
  std::vector<TensorToWrite> tensors;
  const std::vector<WeightShape> shapes = weight_shapes(config);
  values.reserve(shapes.size());
  for (const WeightShape& weight : shapes) {
    if (weight.optional) continue;
    std::size_t count = 1;
    for (std::int64_t length : weight.shape) count *= static_cast<std::size_t>(length);
    std::vector<float>& own = values.emplace_back(count, 1.0f);
    if (weight.shape.size() > 1)
      for (float& value : own)
        value = scale * (static_cast<float>(rng.next_u32()) / 2147483648.0f - 1.0f);
    tensors.push_back({weight.name, weight.shape, own});
  }
  const Bytes bytes = write_safetensors(tensors, dtype);
  ModelFiles files;
  files.config = text_file("config.json", "{}");
  files.weights.push_back(text_file("model.safetensors", as_text(bytes)));
  return std::make_shared<const Weights>(Weights::open(files).value());
}

}  // namespace freshet
