#include "trainer/training/mezo.h"

#include "base/rng.h"

namespace freshet {

void move_along(const Layout& whole, bool a, bool b, std::uint64_t seed, std::uint64_t direction,
                float factor, const std::vector<float>& from, std::vector<float>& to) {
  to = from;
  for (const LayoutEntry& entry : whole.entries) {
    if (!(entry.factor == Factor::kA ? a : b)) continue;
    std::array<std::uint32_t, 4> block{};
    for (std::size_t i = entry.offset; i < entry.offset + entry.size(); ++i) {
      if (i % 128 == 0 || i == entry.offset)
        block = philox(seed, direction, i / 128);  // 128 signs a block
      const bool plus = (block[i % 128 / 32] >> (i % 32) & 1) != 0;
      to[i] = from[i] + (plus ? factor : -factor);
    }
  }
}

std::vector<float> replay_directions(const Layout& whole, bool a, bool b, std::uint64_t seed,
                                     std::span<const double> factors, std::vector<float> initial) {
  std::vector<float> moved;
  for (std::size_t j = 0; j < factors.size(); ++j) {
    if (factors[j] == 0) continue;
    move_along(whole, a, b, seed, j, static_cast<float>(factors[j]), initial, moved);
    initial.swap(moved);
  }
  return initial;
}

}  // namespace freshet
