#include "aggregation/mask.h"

#include <fmt/core.h>

#include <bit>
#include <cmath>

#include "aggregation/pack.h"
#include "base/check.h"
#include "crypto/secagg/mask_stream.h"

namespace freshet {
namespace {

constexpr int kBitsMax = 32;
constexpr double kNoiseSigmas = 20;  // ten to either side

Result<void> fits(MaskedSum& sum, std::size_t words, int bits) {
  if (bits < 1 || bits > kBitsMax)
    return fail(Code::kBadInput, fmt::format("a masked update of {} bits", bits));
  if (sum.count == 0) {
    sum.bits = bits;
    sum.words.assign(words, 0);
    return {};
  }
  if (words != sum.words.size() || bits != sum.bits)
    return fail(Code::kBadInput,
                fmt::format("a masked update of {} words of {} bits, the sum has {} of {}", words,
                            bits, sum.words.size(), sum.bits));
  return {};
}

}  // namespace

Result<int> word_bits(const Grid& grid, std::uint32_t updates_max, double sigma_sum) {
  TRY(sum_bits(grid, updates_max));  // whether the grid is one
  if (!std::isfinite(sigma_sum) || sigma_sum < 0)
    return fail(Code::kBadInput, fmt::format("noise of standard deviation {}", sigma_sum));
  const double steps = static_cast<double>((std::uint64_t{1} << grid.bits) - 1);
  const double values =
      steps * grid.weight_max * updates_max + 1 + std::ceil(kNoiseSigmas * sigma_sum);
  if (values > 0x1p32)
    return fail(Code::kBadInput, fmt::format("{} updates of {} bits with noise of {} do not fit "
                                             "into words of 32 bits: lower bits or the cohort",
                                             updates_max, grid.bits, sigma_sum));
  return static_cast<int>(std::bit_width(static_cast<std::uint64_t>(values) - 1));
}

Result<MaskedUpdate> mask(QuantizedUpdate update, int bits, secagg::RoundKeys& keys,
                          std::span<const std::uint32_t> sharers) {
  MaskedUpdate masked{std::move(update.words), bits};
  TRY(keys.mask(masked.words, bits, sharers));
  return masked;
}

Result<void> add(MaskedSum& sum, const MaskedUpdate& update) {
  TRY(fits(sum, update.words.size(), update.bits));
  for (std::size_t i = 0; i < sum.words.size(); ++i) sum.words[i] += update.words[i];
  secagg::keep_bits(sum.words, sum.bits);
  ++sum.count;
  return {};
}

Result<void> add_packed(MaskedSum& sum, ByteView packed, std::size_t words, int bits) {
  if (bits < 1 || bits > kBitsMax || packed.size() != packed_bytes(words, bits))
    return fail(Code::kBadInput,
                fmt::format("{} bytes are not {} words of {} bits", packed.size(), words, bits));
  TRY(fits(sum, words, bits));
  TRY(add_packed_words(sum.words, packed, bits));
  ++sum.count;
  return {};
}

QuantizedSum unmask(MaskedSum sum, const secagg::Recovery& recovery) {
  CHECK(sum.count == recovery.survivors().size(), "a sum of {} updates over {} survivors",
        sum.count, recovery.survivors().size());
  recovery.remove(sum.words, sum.bits);
  return {std::move(sum.words), sum.count};
}

std::vector<std::int64_t> decode_centred(std::span<const std::uint32_t> words, int bits,
                                         std::uint64_t centre_max) {
  CHECK(bits >= 1 && bits <= kBitsMax, "words of {} bits", bits);
  const auto turn = std::int64_t{1} << bits;
  const auto last = static_cast<std::int64_t>(centre_max / 2) + turn / 2;  // above it: wrapped
  std::vector<std::int64_t> decoded(words.size());
  for (std::size_t i = 0; i < words.size(); ++i) {
    const auto word = static_cast<std::int64_t>(words[i]);
    decoded[i] = word < last ? word : word - turn;
  }
  return decoded;
}

}  // namespace freshet
