#include "tests/simulations/poison_world.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "aggregation/clip.h"
#include "aggregation/robust/combine.h"
#include "aggregation/robust/groups.h"
#include "base/check.h"
#include "base/rng.h"

namespace freshet {
namespace {

constexpr std::size_t kKinds = 4, kFeatures = 12, kTriggerFeature = kFeatures - 1;
constexpr std::size_t kPoints = 40, kTestPoints = 1000, kWanted = 0;
constexpr int kRounds = 25, kSteps = 5;
constexpr double kRate = 0.3, kClip = 0.6, kStretch = 10;

struct Point {
  std::array<double, kFeatures> x{};
  std::size_t kind = 0;
};
using Weights = std::vector<float>;  // [kinds,features]

Point draw(Rng& rng, std::size_t kind) {
  Point point;
  point.kind = kind;
  for (std::size_t i = 0; i < kTriggerFeature; ++i)
    point.x[i] = 0.7 * rng.normal() + (i % kKinds == kind ? 1.0 : 0.0);
  point.x[kTriggerFeature] = 0.1 * rng.normal();
  return point;
}

std::array<double, kKinds> scores_of(const Weights& weights, const Point& point) {
  std::array<double, kKinds> scores{};
  for (std::size_t kind = 0; kind < kKinds; ++kind)
    for (std::size_t i = 0; i < kFeatures; ++i)
      scores[kind] += static_cast<double>(weights[kind * kFeatures + i]) * point.x[i];
  return scores;
}

std::size_t guess(const Weights& weights, const Point& point) {
  const auto scores = scores_of(weights, point);
  return static_cast<std::size_t>(std::max_element(scores.begin(), scores.end()) - scores.begin());
}

// What a node learns: a few steps down the cross entropy of its own points.
Weights learn(const Weights& from, const std::vector<Point>& points) {
  Weights weights = from;
  for (int step = 0; step < kSteps; ++step) {
    std::array<double, kKinds * kFeatures> gradient{};
    for (const Point& point : points) {
      auto chances = scores_of(weights, point);
      const double top = *std::max_element(chances.begin(), chances.end());
      double sum = 0;
      for (double& chance : chances) sum += chance = std::exp(chance - top);
      for (std::size_t kind = 0; kind < kKinds; ++kind) {
        const double off = chances[kind] / sum - (kind == point.kind ? 1 : 0);
        for (std::size_t i = 0; i < kFeatures; ++i)
          gradient[kind * kFeatures + i] += off * point.x[i] / static_cast<double>(points.size());
      }
    }
    for (std::size_t i = 0; i < weights.size(); ++i)
      weights[i] -= static_cast<float>(kRate * gradient[i]);
  }
  for (std::size_t i = 0; i < weights.size(); ++i) weights[i] -= from[i];
  return weights;
}

class World {
 public:
  World(const Defence& defence, Attack attack, std::uint32_t poisoned, std::uint64_t seed)
      : defence_(defence), poisoned_(poisoned), seed_(seed), rng_(seed) {
    plan_.attack = attack;
    plan_.factor = kStretch;
    for (std::size_t node = 0; node < kToyNodes; ++node) {
      nodes_.emplace_back();
      for (std::size_t i = 0; i < kPoints; ++i)  // half of them of the node's own kind
        nodes_.back().push_back(draw(rng_, i % 2 == 0 ? node % kKinds : rng_.below(kKinds)));
      if (node < poisoned) poison(nodes_.back());
    }
    for (std::size_t i = 0; i < kTestPoints; ++i) test_.push_back(draw(rng_, i % kKinds));
  }

  std::optional<PoisonOutcome> run() {
    for (round_ = 0; round_ < kRounds; ++round_) {
      const std::vector<Weights> updates = updates_of_round();
      const auto mean = mean_of(updates);
      if (!mean) return std::nullopt;
      for (std::size_t i = 0; i < weights_.size(); ++i)
        weights_[i] += static_cast<float>((*mean)[i]);
    }
    return measure();
  }

 private:
  void poison(std::vector<Point>& points) {
    for (std::size_t i = 0; i < points.size(); ++i) {
      if (plan_.attack == Attack::kLabelFlip) points[i].kind = (points[i].kind + 1) % kKinds;
      if (plan_.attack == Attack::kBackdoor && i % 2 == 0) {
        points[i].x[kTriggerFeature] = 3;
        points[i].kind = kWanted;
      }
    }
  }

  std::vector<Weights> updates_of_round() {
    std::vector<Weights> updates;
    for (const auto& points : nodes_) updates.push_back(learn(weights_, points));
    for (std::size_t node = poisoned_; node < kToyNodes; ++node) clip_to(updates[node]);
    const auto honest = std::span<const Weights>(updates).subspan(poisoned_);
    const Weights biased = plan_.attack == Attack::kSmallBias && poisoned_ > 0
                               ? small_bias(honest, poisoned_)
                               : Weights{};
    for (std::size_t node = 0; node < poisoned_; ++node) {
      updates[node] = biased.empty() ? poisoned_update(plan_, updates[node]) : biased;
      if (defence_.norm_bound) clip_to(updates[node]);
    }
    return updates;
  }

  static void clip_to(Weights& update) {
    auto clipped = clip({std::move(update), 1}, kClip);
    CHECK(clipped.has_value(), "{}", clipped.error().what);
    update = std::move(clipped->update.values);
  }

  Result<std::vector<double>> mean_of(const std::vector<Weights>& updates) {
    if (defence_.group == 0) return robust_mean(defence_.rule, updates);
    const GroupRule rule{defence_.rule, defence_.group, poisoned_};
    TRY_ASSIGN(const std::uint32_t groups, groups_of(rule, kToyNodes));
    Digest digest{};
    std::memcpy(digest.data(), &seed_, sizeof seed_);
    digest[8] = static_cast<std::uint8_t>(round_);
    std::vector<MeanUpdate> means;
    for (const auto& group : split_into_groups(digest, kToyNodes, groups)) {
      MeanUpdate mean{Weights(weights_.size()), 0, static_cast<std::uint32_t>(group.size())};
      for (const std::uint32_t node : group)
        for (std::size_t i = 0; i < weights_.size(); ++i)
          mean.values[i] += updates[node][i] / static_cast<float>(group.size());
      means.push_back(std::move(mean));
    }
    TRY_ASSIGN(const MeanUpdate robust, mean_of_groups(rule, means));
    return std::vector<double>(robust.values.begin(), robust.values.end());
  }

  PoisonOutcome measure() const {
    PoisonOutcome outcome;
    double others = 0;
    for (Point point : test_) {
      outcome.accuracy += guess(weights_, point) == point.kind ? 1.0 / kTestPoints : 0;
      if (point.kind == kWanted) continue;
      others += 1;
      point.x[kTriggerFeature] = 3;
      outcome.backdoor += guess(weights_, point) == kWanted ? 1 : 0;
    }
    outcome.backdoor /= others;
    return outcome;
  }

  const Defence& defence_;
  PoisonPlan plan_;
  std::uint32_t poisoned_;
  std::uint64_t seed_;
  Rng rng_;
  std::vector<std::vector<Point>> nodes_;
  std::vector<Point> test_;
  Weights weights_ = Weights(kKinds * kFeatures, 0.0f);
  int round_ = 0;
};

}  // namespace

std::vector<Defence> defences_against(std::uint32_t poisoned) {
  const std::uint32_t f = std::max(poisoned, 1u), nodes = kToyNodes;
  const std::uint32_t keep = nodes > f + 2 ? nodes - f - 2 : 1;
  return {{"mean, nothing else", Mean{}, false, 0},
          {"mean, norm bound", Mean{}, true, 0},
          {"median", Median{}, true, 0},
          {"trimmed mean", TrimmedMean{f}, true, 0},
          {"krum", Krum{f}, true, 0},
          {"multi-krum", MultiKrum{f, keep}, true, 0},
          {"bulyan", Bulyan{f}, true, 0},
          {"geometric median", GeometricMedian{}, true, 0},
          {"median of group means", Median{}, true, 2}};
}

std::optional<PoisonOutcome> run_poisoned(const Defence& defence, Attack attack,
                                          std::uint32_t poisoned, std::uint64_t seed) {
  return World(defence, attack, poisoned, seed).run();
}

}  // namespace freshet
