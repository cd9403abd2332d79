#include "model/core_map.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/rng.h"

namespace freshet {
namespace {

Layout small_layout(int rank) {
  ModelConfig config;
  config.hidden_size = 12;
  config.intermediate_size = 20;
  config.layers = 2;
  config.heads = 4;
  config.kv_heads = 2;
  config.head_dim = 4;
  config.vocab_size = 10;
  return *adapter_layout(config, {rank, 4, {}});
}

std::vector<float> random_values(std::size_t count, std::uint64_t seed) {
  Rng rng(seed);
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(rng.normal());
  return values;
}

TEST(CoreMap, HasTheSquareOfTheRankForEveryModule) {
  const Layout whole = small_layout(3);
  const Layout core = phase_layout(whole, false, false, true);
  EXPECT_EQ(core.entries.size(), 2u * 7);
  EXPECT_EQ(core.size, 2u * 7 * 9);
  for (const LayoutEntry& entry : core.entries) EXPECT_TRUE(entry.factor == Factor::kCore);
  EXPECT_NE(canonical_bytes(core), canonical_bytes(phase_layout(whole, false, true)));
  // A module narrower than the rank has no core.
  EXPECT_EQ(phase_layout(small_layout(10), false, false, true).entries.size(), 2u * 5);
}

TEST(CoreMap, GathersWhatItScattered) {
  const Layout whole = small_layout(3), core = phase_layout(whole, false, false, true);
  const std::vector<float> first = initial_adapter(whole, 1), moved = random_values(core.size, 2);
  std::vector<float> adapter = first;
  EXPECT_EQ(gather(whole, core, adapter), std::vector<float>(core.size));
  scatter_add(whole, core, moved, adapter);
  const std::vector<float> found = gather(whole, core, adapter);
  for (std::size_t i = 0; i < core.size; ++i) EXPECT_NEAR(found[i], moved[i], 1e-5);
  for (const LayoutEntry& entry : whole.entries)
    for (std::size_t i = 0; entry.factor == Factor::kA && i < entry.size(); ++i)
      EXPECT_EQ(adapter[entry.offset + i], first[entry.offset + i]);
}

// Orthonormal columns: a core and what it does to B have the same norm, so that a clip is a clip of
// both.
TEST(CoreMap, KeepsNorms) {
  const Layout whole = small_layout(4), core = phase_layout(whole, false, false, true);
  const std::vector<float> moved = random_values(core.size, 5);
  std::vector<float> adapter(whole.size);
  scatter_add(whole, core, moved, adapter);
  double of_core = 0, of_b = 0;
  for (const float value : moved) of_core += double{value} * value;
  for (const float value : adapter) of_b += double{value} * value;
  EXPECT_NEAR(of_b / of_core, 1, 1e-6);
}

// <O^T G, R> = <G, O R>: what of() makes of a gradient over B is the gradient over its core.
TEST(CoreMap, TurnsGradientsOverBIntoGradientsOverTheCore) {
  const Layout whole = small_layout(2);
  const CoreMap map(whole);
  std::vector<float> gradient = random_values(whole.size, 7);
  const std::vector<float> direction = random_values(map.layout().size, 8);
  std::vector<float> along(whole.size);
  map.add(direction, along);
  const std::vector<float> core = map.of(gradient);
  double left = 0, right = 0;
  for (std::size_t i = 0; i < core.size(); ++i) left += double{core[i]} * direction[i];
  for (std::size_t i = 0; i < whole.size; ++i) right += double{gradient[i]} * along[i];
  EXPECT_NEAR(left, right, 1e-4 * std::fabs(right));
}

}  // namespace
}  // namespace freshet
