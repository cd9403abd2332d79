#include "aggregation/evaluation.h"

#include <algorithm>
#include <array>

#include "base/check.h"

namespace freshet {
namespace {

constexpr int kTotalBits = 48;
constexpr std::uint64_t kTotalMax = (std::uint64_t{1} << kTotalBits) - 1;

std::uint32_t digits_of(const Grid& grid) {
  return static_cast<std::uint32_t>((kTotalBits + grid.bits - 1) / grid.bits);
}

}  // namespace

std::uint32_t evaluation_words(const Grid& grid) { return 2 * digits_of(grid); }

void append_evaluation(QuantizedUpdate& update, const EvaluationTotals& totals, const Grid& grid) {
  CHECK(!update.words.empty());
  const std::uint32_t weight = update.words.back();
  update.words.pop_back();
  const std::uint64_t digit_max = (std::uint64_t{1} << grid.bits) - 1;
  for (std::uint64_t total : {totals.millibits, totals.bytes}) {
    total = std::min(total, kTotalMax);
    for (std::uint32_t i = 0; i < digits_of(grid); ++i, total >>= grid.bits)
      update.words.push_back(static_cast<std::uint32_t>(total & digit_max));
  }
  update.words.push_back(weight);
}

Result<EvaluationTotals> take_evaluation(QuantizedSum& sum, const Grid& grid) {
  const std::size_t count = evaluation_words(grid);
  if (sum.words.size() <= count + 1)
    return fail(Code::kBadInput, "a sum that is too short for evaluation totals");
  const auto first = sum.words.end() - static_cast<std::ptrdiff_t>(count + 1);
  std::array<std::uint64_t, 2> totals{};
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t digit = i % digits_of(grid);
    totals[i / digits_of(grid)] += std::uint64_t{first[static_cast<std::ptrdiff_t>(i)]}
                                   << (static_cast<int>(digit) * grid.bits);
  }
  sum.words.erase(first, sum.words.end() - 1);
  return EvaluationTotals{totals[0], totals[1]};
}

}  // namespace freshet
