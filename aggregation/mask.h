#pragma once
// The masked rung of the ladder in updates.h: QuantizedUpdate -> MaskedUpdate -> MaskedSum ->
// QuantizedSum. Only mask() makes a MaskedUpdate of words that mean something, and only unmask()
// makes a sum of it, with the shares of enough survivors behind it (Bonawitz et al. 2017).

#include <cstdint>
#include <span>
#include <vector>

#include "aggregation/quantize.h"
#include "base/bytes.h"
#include "crypto/secagg/recovery.h"
#include "crypto/secagg/round_keys.h"

namespace freshet {

// Bits of one word of a masked sum: ceil(log2(n S W + 1 + 20 sigma)), where sigma is the standard
// deviation of the noise in one entry of the whole sum, in steps of the grid. kBadInput above 32.
Result<int> word_bits(const Grid& grid, std::uint32_t updates_max, double sigma_sum);

struct MaskedUpdate {
  std::vector<std::uint32_t> words;
  int bits = 0;
};

struct MaskedSum {
  std::vector<std::uint32_t> words;
  std::uint32_t count = 0;
  int bits = 0;
};

// Masks once per sid: an error of keys.mask() is this one's. `sharers` is U2. Words may carry
// noise: they are taken modulo 2^bits.
Result<MaskedUpdate> mask(QuantizedUpdate update, int bits, secagg::RoundKeys& keys,
                          std::span<const std::uint32_t> sharers);

// kBadInput when length or bits differ from the sum's; the sum is then as before.
Result<void> add(MaskedSum& sum, const MaskedUpdate& update);
// The same, straight from packed words (aggregation/pack.h): memory is the sum's alone.
Result<void> add_packed(MaskedSum& sum, ByteView packed, std::size_t words, int bits);

// REQUIRES: recovery.rebuild() succeeded, and the sum is over exactly its survivors.
QuantizedSum unmask(MaskedSum sum, const secagg::Recovery& recovery);

// Words of a sum that carries noise, read around the middle of what a sum over `weight` can be: a
// word just below 0 wrapped to the top of the range comes out negative. `centre_max` is
// weight * (2^grid.bits - 1). REQUIRES: noise stayed within 10 sigma, by word_bits.
std::vector<std::int64_t> decode_centred(std::span<const std::uint32_t> words, int bits,
                                         std::uint64_t centre_max);

}  // namespace freshet
