#include "aggregation/quantize.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>

#include "base/check.h"
#include "base/limits.h"

namespace freshet {
namespace {

constexpr std::uint64_t kWordMax = std::numeric_limits<std::uint32_t>::max();

std::uint32_t grid_max(const Grid& grid) { return (std::uint32_t{1} << grid.bits) - 1; }

void require_valid(const Grid& grid, std::uint32_t updates) {
  const auto bits = sum_bits(grid, updates);
  CHECK(bits.has_value(), "{}", bits.error().what);
}

// Exact division by `weight` modulo 2^32 (Granlund and Montgomery 1994, section 9): a multiple of
// the weight gives its quotient, any other word a number above (2^32 - 1) / weight. One comparison
// then tells both lies apart from truth.
struct ExactDivision {
  explicit ExactDivision(std::uint32_t weight) : shift(std::countr_zero(weight)), inverse(1) {
    const std::uint32_t odd = weight >> shift;
    for (int i = 0; i < 5; ++i)
      inverse *= 2 - odd * inverse;  // Newton: right bits double each time, from 1
  }
  std::uint32_t operator()(std::uint32_t word) const { return std::rotr(word * inverse, shift); }
  int shift;
  std::uint32_t inverse;
};

std::size_t first_lie(std::span<const std::uint32_t> words, ExactDivision divided,
                      std::uint32_t z_max) {
  std::uint32_t lies = 0;
  for (const std::uint32_t word : words) lies |= static_cast<std::uint32_t>(divided(word) > z_max);
  if (lies == 0) return words.size();
  return static_cast<std::size_t>(
      std::find_if(words.begin(), words.end(), [&](auto word) { return divided(word) > z_max; }) -
      words.begin());
}

}  // namespace

Result<int> sum_bits(const Grid& grid, std::uint32_t updates_max) {
  if (!std::isfinite(grid.range) || grid.range <= 0)
    return fail(Code::kBadInput,
                fmt::format("range is {}: it must be a finite number above 0", grid.range));
  if (grid.bits < 2 || grid.bits > limits::kQuantizationBitsMax)
    return fail(Code::kBadInput, fmt::format("bits is {}: it must be in [2, {}]", grid.bits,
                                             limits::kQuantizationBitsMax));
  if (grid.weight_max < 1 || grid.weight_max > limits::kWeightMax)
    return fail(Code::kBadInput, fmt::format("weight_max is {}: it must be in [1, {}]",
                                             grid.weight_max, limits::kWeightMax));
  if (updates_max < 1) return fail(Code::kBadInput, "a sum needs at least one update");
  const std::uint64_t word_max = std::uint64_t{grid_max(grid)} * grid.weight_max;  // below 2^40
  if (word_max > kWordMax || word_max * updates_max > kWordMax)
    return fail(Code::kBadInput, fmt::format("{} updates of {} bits and weights up to {} do not "
                                             "fit into sums of 32 bits: lower bits, "
                                             "weight_max or the cohort",
                                             updates_max, grid.bits, grid.weight_max));
  return static_cast<int>(std::bit_width(word_max * updates_max));
}

QuantizedUpdate quantize(const ClippedUpdate& update, const Grid& grid,
                         const FillRandom& fill_random) {
  require_valid(grid, 1);
  CHECK(update.weight >= 1 && update.weight <= grid.weight_max, "weight {} of at most {}",
        update.weight, grid.weight_max);
  const double range = grid.range, top = 0x1p32 * grid_max(grid);  // 32 bits behind the point
  QuantizedUpdate quantized{std::vector<std::uint32_t>(update.values.size() + 1)};
  std::array<std::uint32_t, 1024> random;
  bool numbers = true;
  for (std::size_t begin = 0; begin < update.values.size(); begin += random.size()) {
    const std::size_t count = std::min(random.size(), update.values.size() - begin);
    fill_random(std::span(random).first(count));
    for (std::size_t i = 0; i < count; ++i) {
      const double value = update.values[begin + i];
      numbers &= value == value;
      const double inside = std::min(std::max(-range, value), range);  // NaN: -range, refused below
      const auto fixed = static_cast<std::int64_t>((inside + range) / (2 * range) * top);
      const auto z = static_cast<std::uint32_t>((fixed + random[i]) >> 32);
      quantized.words[begin + i] = update.weight * z;
    }
  }
  CHECK(numbers, "an update that went through clip() has a NaN");
  quantized.words.back() = update.weight;
  return quantized;
}

Result<void> add(QuantizedSum& sum, const QuantizedUpdate& update, const Grid& grid) {
  require_valid(grid, sum.count + 1);
  if (update.words.empty()) return fail(Code::kBadInput, "the update has no weight");
  if (sum.count > 0 && update.words.size() != sum.words.size())
    return fail(Code::kBadInput, fmt::format("the update has {} words, the sum has {}",
                                             update.words.size(), sum.words.size()));
  const std::uint32_t weight = update.words.back();
  if (weight < 1 || weight > grid.weight_max)
    return fail(Code::kBadInput, fmt::format("the update claims weight {}: it must be in [1, {}]",
                                             weight, grid.weight_max));
  const std::size_t entries = update.words.size() - 1;
  const std::size_t lie =
      first_lie(std::span(update.words).first(entries), ExactDivision(weight), grid_max(grid));
  if (lie < entries)
    return fail(Code::kBadInput,
                fmt::format("word {} of the update is {}: it must be {} times a number in [0, {}]",
                            lie, update.words[lie], weight, grid_max(grid)));
  if (sum.count == 0) sum.words.assign(update.words.size(), 0);
  for (std::size_t i = 0; i < update.words.size(); ++i) sum.words[i] += update.words[i];
  ++sum.count;
  return {};
}

Result<MeanUpdate> dequantize_mean(const QuantizedSum& sum, const Grid& grid) {
  require_valid(grid, 1);
  CHECK(sum.count > 0 && !sum.words.empty(), "a mean of {} updates, {} words", sum.count,
        sum.words.size());
  const std::uint32_t weight = sum.words.back();
  if (weight == 0) return fail(Code::kBadInput, "the total weight of the sum is zero");
  const std::uint64_t word_max = std::uint64_t{grid_max(grid)} * weight;
  const double range = grid.range, scale = 2 * range / static_cast<double>(word_max);
  MeanUpdate mean{std::vector<float>(sum.words.size() - 1), static_cast<double>(weight), sum.count};
  bool inside = true;
  for (std::size_t i = 0; i < mean.values.size(); ++i) {
    inside &= sum.words[i] <= word_max;
    mean.values[i] = static_cast<float>(sum.words[i] * scale - range);
  }
  if (!inside) return fail(Code::kBadInput, "a word of the sum is above what its weight allows");
  return mean;
}

}  // namespace freshet
