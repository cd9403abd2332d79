#include "aggregation/robust/shares.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/check.h"

namespace freshet {
namespace {

// Of the updates in `among` alone.
double krum_score(const Distances& distances, const std::vector<std::size_t>& among,
                  std::size_t update, std::size_t nearest) {
  std::vector<double> others;
  for (const std::size_t other : among)
    if (other != update) others.push_back(distances.squared(update, other));
  CHECK(nearest <= others.size(), "{} nearest of {}", nearest, others.size());
  std::partial_sort(others.begin(), others.begin() + static_cast<std::ptrdiff_t>(nearest),
                    others.end());
  return std::accumulate(others.begin(), others.begin() + static_cast<std::ptrdiff_t>(nearest),
                         0.0);
}

std::vector<std::size_t> all_of(std::size_t updates) {
  std::vector<std::size_t> all(updates);
  std::iota(all.begin(), all.end(), std::size_t{0});
  return all;
}

std::vector<double> even(std::size_t updates, std::span<const std::size_t> chosen) {
  std::vector<double> shares(updates, 0.0);
  for (const std::size_t update : chosen) shares[update] = 1.0 / static_cast<double>(chosen.size());
  return shares;
}

std::vector<double> lowest(const std::vector<double>& scores, std::size_t count) {
  std::vector<std::size_t> order = all_of(scores.size());
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return scores[a] < scores[b]; });
  return even(scores.size(), std::span(order).first(count));
}

// The distance of each update from the point that `shares` makes of all: with s the shares and D
// the squared distances, |v - x_j|^2 = (D s)_j - s D s / 2.
std::vector<double> from_point(const Distances& distances, const std::vector<double>& shares) {
  const std::size_t n = distances.updates();
  std::vector<double> apart(n);
  double spread = 0;
  for (std::size_t j = 0; j < n; ++j) {
    const auto row = distances.row(j);
    apart[j] = std::inner_product(row.begin(), row.end(), shares.begin(), 0.0);
    spread += shares[j] * apart[j];
  }
  for (double& each : apart) each = std::sqrt(std::max(0.0, each - spread / 2));
  return apart;
}

std::vector<double> weiszfeld(const Distances& distances, const GeometricMedian& rule) {
  std::vector<double> shares = even(distances.updates(), all_of(distances.updates()));
  for (std::uint32_t pass = 0; pass < rule.passes; ++pass) {
    std::vector<double> next = from_point(distances, shares);
    for (double& each : next) each = 1.0 / std::max(rule.floor, each);
    const double sum = std::accumulate(next.begin(), next.end(), 0.0);
    double moved = 0;
    for (std::size_t i = 0; i < next.size(); ++i) {
      next[i] /= sum;
      moved = std::max(moved, std::fabs(next[i] - shares[i]));
    }
    shares = std::move(next);
    if (moved < 1e-15) break;
  }
  return shares;
}

std::vector<double> of(const Krum& rule, const Distances& distances) {
  return lowest(krum_scores(distances, rule.byzantine), 1);
}
std::vector<double> of(const MultiKrum& rule, const Distances& distances) {
  return lowest(krum_scores(distances, rule.byzantine), rule.keep);
}
std::vector<double> of(const Bulyan& rule, const Distances& distances) {
  return even(distances.updates(), bulyan_choices(distances, rule.byzantine));
}
std::vector<double> of(const GeometricMedian& rule, const Distances& distances) {
  return weiszfeld(distances, rule);
}
std::vector<double> of(const auto&, const Distances& distances) {
  return even(distances.updates(), all_of(distances.updates()));
}

}  // namespace

std::vector<double> krum_scores(const Distances& distances, std::uint32_t byzantine) {
  const std::size_t n = distances.updates();
  CHECK(n >= std::size_t{byzantine} + 3, "{} updates, {} byzantine", n, byzantine);
  const std::vector<std::size_t> all = all_of(n);
  std::vector<double> scores(n);
  for (std::size_t i = 0; i < n; ++i) scores[i] = krum_score(distances, all, i, n - byzantine - 2);
  return scores;
}

std::vector<std::size_t> bulyan_choices(const Distances& distances, std::uint32_t byzantine) {
  const std::size_t n = distances.updates(), wanted = n - 2 * std::size_t{byzantine};
  std::vector<std::size_t> left = all_of(n), chosen;
  while (chosen.size() < wanted) {
    const std::size_t beside = std::size_t{byzantine} + 2;
    const std::size_t nearest = left.size() > beside ? left.size() - beside : 0;
    auto best = left.end();
    double lowest_score = std::numeric_limits<double>::infinity();
    for (auto at = left.begin(); at != left.end(); ++at) {
      const double score = krum_score(distances, left, *at, nearest);
      if (score < lowest_score) best = at, lowest_score = score;
    }
    CHECK(best != left.end(), "no score is a number");
    chosen.push_back(*best);
    left.erase(best);
  }
  return chosen;
}

std::vector<double> shares_of(const RobustRule& rule, const Distances& distances) {
  return std::visit([&](const auto& chosen) { return of(chosen, distances); }, rule);
}

}  // namespace freshet
