#include "aggregation/evaluation.h"

#include <gtest/gtest.h>

namespace freshet {
namespace {

TEST(Evaluation, TotalsAddUpExactlyOnAnyGrid) {
  for (const int bits : {2, 8, 15, 16, 24}) {
    SCOPED_TRACE(bits);
    const Grid grid{1, bits, 1};
    QuantizedSum sum;
    EvaluationTotals expected;
    for (std::uint64_t i = 0; i < 60; ++i) {
      QuantizedUpdate update{{1, 2, 3, 1}};
      const EvaluationTotals totals{123'456'789'012 + i * i * 1'000'003, 98'765 * i};
      append_evaluation(update, totals, grid);
      ASSERT_EQ(update.words.size(), 4 + evaluation_words(grid));
      ASSERT_EQ(update.words.back(), 1u);
      sum.words.resize(update.words.size());
      for (std::size_t w = 0; w < update.words.size(); ++w) {
        ASSERT_LT(update.words[w], 1u << bits) << "a digit is a word like all others";
        sum.words[w] += update.words[w];
      }
      expected.millibits += totals.millibits;
      expected.bytes += totals.bytes;
    }
    EXPECT_EQ(take_evaluation(sum, grid).value(), expected);
    EXPECT_EQ(sum.words, (std::vector<std::uint32_t>{60, 120, 180, 60}));
  }
}

TEST(Evaluation, BoundsWhatDoesNotFit) {
  const Grid grid{1, 16, 1};
  QuantizedUpdate update{{5, 1}};
  append_evaluation(update, {~std::uint64_t{0}, 7}, grid);
  QuantizedSum sum{update.words, 1};
  EXPECT_EQ(take_evaluation(sum, grid).value(),
            (EvaluationTotals{(std::uint64_t{1} << 48) - 1, 7}));
  EXPECT_FALSE(take_evaluation(sum, grid)) << "they are out already";
}

}  // namespace
}  // namespace freshet
