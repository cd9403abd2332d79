#pragma once
// Two layers of random weights: large enough to learn, small enough for a test.

#include "tests/trainer/random_model.h"
#include "trainer/transformer/transformer.h"

namespace freshet {

struct TinyShape {
  int vocabulary = 32, hidden = 32, positions = 64;
  float spread = 0.4f;  // of a weight
};

inline Transformer tiny_transformer(const TinyShape& shape, std::uint64_t seed) {
  ModelConfig config;
  config.vocab_size = shape.vocabulary;
  config.hidden_size = shape.hidden;
  config.intermediate_size = 32;
  config.layers = 2;
  config.heads = config.kv_heads = 2;
  config.head_dim = shape.hidden / 2;
  config.max_positions = shape.positions;
  config.tied_embeddings = true;
  const auto weights = random_weights(config, Dtype::kF32, seed, shape.spread);
  return load_transformer(config, weights, Precision::kF32).value();
}

}  // namespace freshet
