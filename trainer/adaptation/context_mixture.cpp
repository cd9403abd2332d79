#include "trainer/adaptation/context_mixture.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace freshet {

OpinionWeights::OpinionWeights(const MixturePlan& plan)
    : plan_(&plan), evidence_(plan.opinions.size()), weights_(plan.opinions.size()) {
  weigh();
}

void OpinionWeights::observe(std::span<const double> log_probs) {
  for (std::size_t e = 0; e < evidence_.size(); ++e)
    evidence_[e] = static_cast<double>(plan_->memory) * evidence_[e] + log_probs[e];
  weigh();
}

void OpinionWeights::weigh() {
  const double most = *std::max_element(evidence_.begin(), evidence_.end());
  double sum = 0;
  for (std::size_t e = 0; e < evidence_.size(); ++e)
    sum += weights_[e] = std::exp(evidence_[e] - most);
  const auto even = static_cast<double>(plan_->floor);
  for (double& weight : weights_)
    weight = (1 - even) * weight / sum + even / static_cast<double>(weights_.size());
}

OpinionRow::OpinionRow(const MixturePlan& plan, int vocab)
    : plan_(plan),
      vocab_(vocab),
      z_(plan.opinions.size() * static_cast<std::size_t>(vocab)),
      normalizers_(plan.opinions.size()) {}

void OpinionRow::read(const float* large, const float* tuned, const float* base) {
  for (std::size_t e = 0; e < plan_.opinions.size(); ++e) {
    const Opinion& by = plan_.opinions[e];
    float* z = z_.data() + e * static_cast<std::size_t>(vocab_);
    float most = -INFINITY;
    for (int i = 0; i < vocab_; ++i) {
      z[i] = by.large * large[i] + by.tuned * tuned[i] + by.base * base[i];
      most = std::max(most, z[i]);
    }
    double sum = 0;
    for (int i = 0; i < vocab_; ++i) sum += static_cast<double>(std::exp(z[i] - most));
    normalizers_[e] = static_cast<double>(most) + std::log(sum);
  }
}

double OpinionRow::log_prob(std::size_t opinion, int id) const {
  return static_cast<double>(
             z_[opinion * static_cast<std::size_t>(vocab_) + static_cast<std::size_t>(id)]) -
         normalizers_[opinion];
}

void OpinionRow::mix(std::span<const double> weights, float* out) const {
  std::fill_n(out, vocab_, 0.0f);
  for (std::size_t e = 0; e < weights.size(); ++e) {
    const float* z = z_.data() + e * static_cast<std::size_t>(vocab_);
    const auto less = static_cast<float>(normalizers_[e] - std::log(weights[e]));
    for (int i = 0; i < vocab_; ++i) out[i] += std::exp(z[i] - less);
  }
  constexpr float kLeast = 1e-30f;  // whose logarithm is a number
  for (int i = 0; i < vocab_; ++i) out[i] = std::log(std::max(out[i], kLeast));
}

Result<void> check_mixture(const MixturePlan& plan) {
  const auto is_finite = [](const Opinion& by) {
    return std::isfinite(by.large) && std::isfinite(by.tuned) && std::isfinite(by.base);
  };
  if (plan.opinions.empty() ||
      !std::all_of(plan.opinions.begin(), plan.opinions.end(), is_finite) ||
      !(plan.memory >= 0 && plan.memory <= 1) || !(plan.floor > 0 && plan.floor <= 1))
    return fail(Code::kBadInput,
                "a mixture needs an opinion, a memory in [0, 1] and a floor in (0, 1]");
  return {};
}

ContextMixture::ContextMixture(LogitSource& large, LogitSource& tuned, LogitSource& base,
                               MixturePlan plan)
    : large_(large),
      tuned_(tuned),
      base_(base),
      plan_(std::move(plan)),
      row_(plan_, large.vocab()),
      z_(3 * static_cast<std::size_t>(kLogitRows) * static_cast<std::size_t>(large.vocab())) {
  CHECK(check_mixture(plan_).has_value(), "{} opinions", plan_.opinions.size());
}

int ContextMixture::positions() const {
  return std::min({large_.positions(), tuned_.positions(), base_.positions()});
}

void ContextMixture::read_rows(std::int64_t first, std::int64_t count) {
  const auto part = static_cast<std::size_t>(kLogitRows) * static_cast<std::size_t>(vocab());
  large_.rows(first, count, z_.data());
  tuned_.rows(first, count, z_.data() + part);
  base_.rows(first, count, z_.data() + 2 * part);
}

void ContextMixture::say(std::int64_t row) {
  const auto vocab_size = static_cast<std::size_t>(vocab());
  const std::size_t part = static_cast<std::size_t>(kLogitRows) * vocab_size;
  const float* z = z_.data() + static_cast<std::size_t>(row) * vocab_size;
  row_.read(z, z + part, z + 2 * part);
}

void ContextMixture::read(const TokenBatch& batch) {
  large_.read(batch);
  tuned_.read(batch);
  base_.read(batch);
  const std::size_t opinions = plan_.opinions.size();
  weights_.clear();
  OpinionWeights along(plan_);
  std::vector<double> said(opinions);
  for (std::int64_t row = 0; row < batch.rows(); ++row) {
    const std::int64_t within = row % kLogitRows;
    if (within == 0) read_rows(row, std::min(kLogitRows, batch.rows() - row));
    if (row % batch.time == 0) along = OpinionWeights(plan_);
    weights_.insert(weights_.end(), along.weights().begin(), along.weights().end());
    if (row % batch.time + 1 == batch.time) continue;
    say(within);
    for (std::size_t e = 0; e < opinions; ++e)
      said[e] = row_.log_prob(e, batch.ids[static_cast<std::size_t>(row) + 1]);
    along.observe(said);
  }
}

void ContextMixture::rows(std::int64_t first, std::int64_t count, float* out) {
  for (std::int64_t at = 0; at < count; at += kLogitRows) {
    const std::int64_t some = std::min(kLogitRows, count - at);
    read_rows(first + at, some);
    for (std::int64_t row = 0; row < some; ++row) {
      say(row);
      const auto weights = std::span(weights_).subspan(
          static_cast<std::size_t>(first + at + row) * plan_.opinions.size(),
          plan_.opinions.size());
      row_.mix(weights, out + (at + row) * vocab());
    }
  }
}

}  // namespace freshet
