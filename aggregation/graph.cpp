#include "aggregation/graph.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "base/check.h"
#include "base/limits.h"
#include "crypto/digest.h"
#include "crypto/secagg/mask_stream.h"

namespace freshet {
namespace {

// Keeps a share like 0.05 * 100 from rounding to the wrong whole number of members.
constexpr double kRounding = 1e-12;

// log(k!) for every k up to n: a plan takes some ten thousand of them.
class LogFactorials {
 public:
  explicit LogFactorials(std::uint32_t n) : of_(n + 1) {
    for (std::uint32_t k = 0; k <= n; ++k) of_[k] = std::lgamma(k + 1.0);
  }
  double operator()(std::uint32_t k) const { return of_[k]; }
  double choose(std::uint32_t n, std::uint32_t k) const { return of_[n] - of_[k] - of_[n - k]; }

 private:
  std::vector<double> of_;
};

std::uint32_t most(double share, std::uint32_t n) {
  return static_cast<std::uint32_t>(std::floor((share + kRounding) * n));
}

// Of `draws` members out of `total`, how many are among the `marked`.
struct Hypergeometric {
  const LogFactorials& log_factorial;
  std::uint32_t total, marked, draws;

  double chance_of(std::uint32_t k) const {
    if (k > marked || k > draws || draws - k > total - marked) return 0;
    return std::exp(log_factorial.choose(marked, k) +
                    log_factorial.choose(total - marked, draws - k) -
                    log_factorial.choose(total, draws));
  }
  // The least k such that more than k have at most this chance. Tails are summed from their thin
  // end.
  std::uint32_t upper(double chance) const {
    double tail = 0;
    for (std::uint32_t k = draws; k > 0; --k) {
      tail += chance_of(k);
      if (tail > chance) return k;
    }
    return 0;
  }
  // The least k such that k or fewer have at least this chance.
  std::uint32_t lower(double chance) const {
    double tail = 0;
    for (std::uint32_t k = 0; k < draws; ++k) {
      tail += chance_of(k);
      if (tail >= chance) return k;
    }
    return draws;
  }
};

// Bound on the chance that honest survivors on a random ring, each joined to degree / 2 on either
// side, fall apart: two runs of degree / 2 corrupt or dropped members would have to part them.
double log_chance_apart(const LogFactorials& log_factorial, std::uint32_t n, std::uint32_t degree,
                        std::uint32_t bad) {
  if (degree > bad) return -HUGE_VAL;
  if (bad >= n) return 0;  // nobody is left
  return std::log(n) + std::log(n - degree - 1.0) - std::numbers::ln2 + log_factorial(bad) +
         log_factorial(n - degree) - log_factorial(n) - log_factorial(bad - degree);
}

// The threshold that makes a degree safe; 0: none does.
std::uint32_t threshold_of(const LogFactorials& factorials, std::uint32_t n, std::uint32_t degree,
                           const GraphTarget& target) {
  const auto one_of_two = [](int bits) { return -(bits + 1) * std::numbers::ln2; };
  const double log_event = one_of_two(target.security_bits + target.tried_seed_bits);
  const std::uint32_t corrupt = most(target.corrupt, n), dropped = most(target.dropped, n),
                      missing = std::max(dropped, most(target.left_out, n));
  if (log_chance_apart(factorials, n, degree, corrupt + dropped) >= log_event ||
      log_chance_apart(factorials, n, degree, corrupt + missing) >=
          one_of_two(target.security_bits))
    return 0;
  double reached = Hypergeometric{factorials, n, corrupt, degree}.upper(std::exp(log_event) / n);
  if (!target.quorum) reached = std::ceil((reached + degree - 1.25) / 2);
  const auto alive = static_cast<std::uint32_t>(std::ceil((1 - target.dropped - kRounding) * n));
  const double sure =
      Hypergeometric{factorials, n, alive, degree}.lower(std::exp2(-target.correctness_bits) / n);
  const auto threshold = std::max(static_cast<std::uint32_t>(reached) + target.honest_min, 2u);
  return threshold <= sure ? threshold : 0;
}

Result<void> check(std::uint32_t n, const GraphTarget& target) {
  if (n < 2 || n > limits::kCohortMax)
    return fail(Code::kBadInput,
                fmt::format("a cohort of {}: it has 2 to {} members", n, limits::kCohortMax));
  const bool shares =
      target.corrupt >= 0 && target.corrupt < 1 && target.dropped >= 0 && target.dropped < 1;
  const bool left_out = target.left_out >= 0 && target.left_out < 1 && target.honest_min >= 1;
  if (!shares || !left_out || target.security_bits < 1 || target.correctness_bits < 1 ||
      target.tried_seed_bits < 0)
    return fail(Code::kBadInput,
                "shares of corrupt and dropped members must lie in [0, 1), and "
                "security be one bit or more");
  return {};
}

// Uniform below `bound`, from words of a stream under the graph's seed.
class Draw {
 public:
  explicit Draw(const Digest& seed) : key_(digest_of("freshet/graph/v1", seed)) {}
  std::uint32_t below(std::uint32_t bound) {
    const std::uint32_t fair = ~std::uint32_t{0} - ~std::uint32_t{0} % bound;
    std::uint32_t word;
    do word = next();
    while (word >= fair);
    return word % bound;
  }

 private:
  std::uint32_t next() {
    if (used_ == words_.size()) {
      words_.fill(0);
      const std::array<secagg::MaskKey, 1> key = {{{key_, true}}};
      secagg::apply_masks(words_, key, first_);
      first_ += words_.size();
      used_ = 0;
    }
    return words_[used_++];
  }
  Digest key_;
  std::array<std::uint32_t, 256> words_{};
  std::size_t used_ = words_.size(), first_ = 0;
};

}  // namespace

Result<GraphPlan> plan_complete(std::uint32_t n, double corrupt) {
  TRY(check(n, {.corrupt = corrupt}));
  const auto quorum = static_cast<std::uint32_t>(std::floor((1 + corrupt + kRounding) * n / 2)) + 1;
  const std::uint32_t threshold = std::max({quorum, 2 * n / 3 + 1, 2u});
  if (threshold > n)
    return fail(Code::kBadInput, fmt::format("a cohort of {} of whom {} may collude: no threshold "
                                             "keeps two lists of survivors apart",
                                             n, corrupt));
  return GraphPlan{n - 1, threshold, threshold, true};
}

Result<GraphPlan> plan_graph(std::uint32_t n, const GraphTarget& target) {
  TRY(check(n, target));
  TRY_ASSIGN(const GraphPlan complete, plan_complete(n, target.corrupt));
  const LogFactorials factorials(n);
  for (std::uint32_t degree = 2; degree + 1 < n; degree += 2)
    if (const std::uint32_t threshold = threshold_of(factorials, n, degree, target))
      return GraphPlan{degree, threshold, complete.quorum, false};
  return fail(Code::kBadInput,
              fmt::format("no sparse graph keeps a cohort of {} safe with {} of it corrupt and {} "
                          "dropped: use the complete one",
                          n, target.corrupt, target.dropped));
}

Result<GraphPlan> plan_round_graph(std::uint32_t n, const GraphTarget& target) {
  TRY_ASSIGN(const GraphPlan complete, plan_complete(n, target.corrupt));
  if (n <= limits::kCompleteGraphMax) return complete;
  GraphTarget round = target;
  round.tried_seed_bits = kTriedSeedBits;
  round.left_out = static_cast<double>(n - complete.threshold) / n;
  if (auto sparse = plan_graph(n, round)) return sparse;
  return complete;
}

Graph::Graph(const Digest& seed, std::uint32_t n, std::uint32_t degree)
    : n_(n), degree_(degree), ring_(n), place_(n) {
  CHECK(degree < n && (degree % 2 == 0 || degree == n - 1), "degree {} of {}", degree, n);
  for (std::uint32_t i = 0; i < n; ++i) ring_[i] = i;
  Draw draw(seed);
  if (degree != n - 1)
    for (std::uint32_t i = n; i > 1; --i) std::swap(ring_[i - 1], ring_[draw.below(i)]);
  for (std::uint32_t i = 0; i < n; ++i) place_[ring_[i]] = i;
}

std::vector<std::uint32_t> Graph::neighbours(std::uint32_t index) const {
  CHECK(index < n_, "member {} of {}", index, n_);
  std::vector<std::uint32_t> all;
  all.reserve(degree_);
  const std::uint32_t place = place_[index];
  if (degree_ == n_ - 1) {
    for (std::uint32_t i = 0; i < n_; ++i)
      if (i != index) all.push_back(i);
    return all;
  }
  for (std::uint32_t step = 1; step <= degree_ / 2; ++step) {
    all.push_back(ring_[(place + step) % n_]);
    all.push_back(ring_[(place + n_ - step) % n_]);
  }
  std::ranges::sort(all);
  return all;
}

}  // namespace freshet
