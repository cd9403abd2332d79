#include "trainer/adaptation/masked_logits.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace freshet {

std::size_t logit_vector_size(const Prompts& prompts, const CandidateSets& candidates) {
  return static_cast<std::size_t>(prompts.rows()) * static_cast<std::size_t>(candidates.size + 1);
}

std::vector<float> confidence_of(const Prompts& prompts, const std::vector<float>& tuned_log_probs,
                                 const std::vector<float>& base_log_probs,
                                 const ConfidencePlan& plan) {
  std::vector<float> confidence(tuned_log_probs.size());
  const auto window = static_cast<std::size_t>(prompts.window);
  for (std::size_t at = 0; at < confidence.size(); at += window) {
    double gain = 0;
    for (std::size_t row = at; row < at + window; ++row)
      gain += static_cast<double>(tuned_log_probs[row] - base_log_probs[row]);
    const double mean = gain / static_cast<double>(window);
    const auto sure = static_cast<float>(std::min(
        1.0, std::exp(static_cast<double>(plan.slope) * (mean - static_cast<double>(plan.full)))));
    std::fill_n(confidence.begin() + static_cast<std::ptrdiff_t>(at), window, sure);
  }
  return confidence;
}

std::vector<float> logit_vector(const CandidateSets& candidates, const Answers& answers,
                                const std::vector<float>& confidence) {
  const auto size = static_cast<std::size_t>(candidates.size);
  CHECK(answers.q.size() == confidence.size() * size, "{} answers of {} rows", answers.q.size(),
        confidence.size());
  std::vector<float> values;
  values.reserve(confidence.size() * (size + 1));
  for (std::size_t row = 0; row < confidence.size(); ++row) {
    float rest = 1;
    for (std::size_t i = 0; i < size; ++i) {
      const float q = answers.q[row * size + i];
      values.push_back(confidence[row] * q);
      rest -= q;
    }
    values.push_back(confidence[row] * std::max(0.0f, rest));
  }
  return values;
}

Result<Lesson> lesson_of_mean(Prompts prompts, CandidateSets candidates, float temperature,
                              const std::vector<float>& mean, const MeanReading& reading) {
  if (mean.size() != logit_vector_size(prompts, candidates))
    return fail(Code::kBadInput, "the nodes' answers have " + std::to_string(mean.size()) +
                                     " values; prompts and candidates ask for " +
                                     std::to_string(logit_vector_size(prompts, candidates)));
  if (!std::all_of(mean.begin(), mean.end(), [](float v) { return std::isfinite(v); }))
    return fail(Code::kBadInput, "the nodes' answers hold a value that is no number");
  const auto size = static_cast<std::size_t>(candidates.size);
  Lesson lesson{std::move(prompts), std::move(candidates), {temperature, {}}, {}};
  std::vector<float> shares(size + 1);
  for (std::size_t at = 0; at < mean.size(); at += size + 1) {
    float said = 0, total = 0;
    for (std::size_t i = 0; i <= size; ++i) said += shares[i] = std::max(0.0f, mean[at + i]);
    const bool silent = said < reading.silence;
    for (float& share : shares)
      total += share = silent ? 0 : std::pow(share / said, reading.sharpen);
    for (std::size_t i = 0; i < size; ++i)
      lesson.answers.q.push_back(silent ? 0 : shares[i] / total);
    lesson.gate.push_back(silent ? 0.0f : 1.0f);
  }
  return lesson;
}

}  // namespace freshet
