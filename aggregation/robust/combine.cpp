#include "aggregation/robust/combine.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "aggregation/robust/shares.h"
#include "base/check.h"

namespace freshet {
namespace {

double pairwise_sum(std::span<const double> values) {
  if (values.size() > 8) {
    const std::size_t half = values.size() / 2;
    return pairwise_sum(values.first(half)) + pairwise_sum(values.subspan(half));
  }
  double sum = 0;
  for (const double value : values) sum += value;
  return sum;
}

double mean_of(std::span<const double> values) {
  return pairwise_sum(values) / static_cast<double>(values.size());
}

double median_of_sorted(std::span<const double> sorted) {
  const std::size_t half = sorted.size() / 2;
  return sorted.size() % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

// Each takes the values of one coordinate and may reorder them.
double value_of(const Median&, std::span<double> column) {
  std::sort(column.begin(), column.end());
  return median_of_sorted(column);
}

double value_of(const TrimmedMean& rule, std::span<double> column) {
  std::sort(column.begin(), column.end());
  return mean_of(column.subspan(rule.trim, column.size() - 2 * std::size_t{rule.trim}));
}

double value_of(const Bulyan& rule, std::span<double> column) {
  std::sort(column.begin(), column.end());
  const double median = median_of_sorted(column);
  const std::size_t keep = column.size() - 2 * std::size_t{rule.byzantine};
  std::stable_sort(column.begin(), column.end(), [&](double a, double b) {
    return std::fabs(a - median) < std::fabs(b - median);
  });
  return mean_of(column.first(keep));
}

template <class Rule>
constexpr bool kByCoordinate = std::is_same_v<Rule, Median> || std::is_same_v<Rule, TrimmedMean> ||
                               std::is_same_v<Rule, Bulyan>;

std::vector<std::size_t> rows_with_share(std::span<const double> shares) {
  std::vector<std::size_t> rows;
  for (std::size_t i = 0; i < shares.size(); ++i)
    if (shares[i] > 0) rows.push_back(i);
  return rows;
}

Result<void> check_finite(std::span<const std::vector<float>> updates) {
  for (std::size_t update = 0; update < updates.size(); ++update) {
    if (updates[update].size() != updates[0].size())
      return fail(Code::kBadInput, fmt::format("update {} has {} values, the first one {}", update,
                                               updates[update].size(), updates[0].size()));
    for (std::size_t entry = 0; entry < updates[update].size(); ++entry)
      if (!std::isfinite(updates[update][entry]))
        return fail(Code::kBadInput, fmt::format("entry {} of update {} is {}: no rule can use it",
                                                 entry, update, updates[update][entry]));
  }
  return {};
}

}  // namespace

std::vector<double> combine(const RobustRule& rule, std::span<const double> shares,
                            const OpenedBlock& block) {
  CHECK(shares.size() == block.updates(), "{} shares of {} updates", shares.size(),
        block.updates());
  const std::vector<std::size_t> rows = rows_with_share(shares);
  CHECK(!rows.empty(), "no update has a share");
  std::vector<double> result(block.entries()), column(rows.size());
  std::visit(
      [&]<class Rule>(const Rule& chosen) {
        for (std::size_t entry = 0; entry < block.entries(); ++entry) {
          for (std::size_t i = 0; i < rows.size(); ++i) {
            const double value = block.row(rows[i])[entry];
            column[i] = kByCoordinate<Rule> ? value : value * shares[rows[i]];
          }
          if constexpr (kByCoordinate<Rule>)
            result[entry] = value_of(chosen, column);
          else
            result[entry] = pairwise_sum(column);
        }
      },
      rule);
  return result;
}

Result<std::vector<double>> robust_mean(const RobustRule& rule,
                                        std::span<const std::vector<float>> updates) {
  TRY(check_enough(rule, static_cast<std::uint32_t>(updates.size())));
  TRY(check_finite(updates));
  OpenedBlock block(updates.size(), updates[0].size());
  for (std::size_t i = 0; i < updates.size(); ++i) block.set(i, updates[i], 0);
  Distances distances(updates.size());
  if (needs_distances(rule)) distances.add(block);
  return combine(rule, shares_of(rule, distances), block);
}

}  // namespace freshet
