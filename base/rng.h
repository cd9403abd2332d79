#pragma once
// A counter-based generator with a public seed: Philox4x32-10 (Salmon et al., SC 2011). The same numbers on every
// machine and for every order of asking. Never for secrets: those come from crypto/.

#include <array>
#include <cstdint>

namespace freshet {

// The four words of block `counter` of the stream (seed, stream).
std::array<std::uint32_t, 4> philox(std::uint64_t seed, std::uint64_t stream, std::uint64_t counter);

// A cursor over one stream.
class Rng {
 public:
  explicit Rng(std::uint64_t seed, std::uint64_t stream = 0) : seed_(seed), stream_(stream) {}

  std::uint32_t next_u32();
  std::uint64_t next_u64();
  std::uint64_t below(std::uint64_t bound);  // uniform in [0, bound), without bias. REQUIRES: bound > 0
  double uniform();                          // [0, 1), 53 bits
  double normal();                           // mean 0, variance 1 (Box-Muller)

 private:
  std::uint64_t seed_, stream_, counter_ = 0;
  std::array<std::uint32_t, 4> block_{};
  unsigned used_ = 4;
};

}  // namespace freshet
