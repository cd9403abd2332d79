#pragma once
// Totals of the nodes' held-out text as words of the very vector that carries their updates: summed
// under the same masks over the same survivors, so that no two sums over slightly different cohorts
// can be subtracted. A total is a number of 48 bits in digits of the grid's width, least first; the
// digits add up by themselves. They weigh nothing: a node's weight changes its update alone.

#include "aggregation/quantize.h"

namespace freshet {

struct EvaluationTotals {
  std::uint64_t millibits = 0;  // that the model spends on the text
  std::uint64_t bytes = 0;      // of the text
  bool operator==(const EvaluationTotals&) const = default;
};

std::uint32_t evaluation_words(const Grid& grid);  // of both totals

// Before the weight. Totals above 48 bits count as the most there is.
void append_evaluation(QuantizedUpdate& update, const EvaluationTotals& totals, const Grid& grid);
// Takes them out of a sum again. kBadInput where the sum has no room for them.
Result<EvaluationTotals> take_evaluation(QuantizedSum& sum, const Grid& grid);

}  // namespace freshet
