#include "trainer/transformer/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/check.h"

namespace freshet {
namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();

bool heavier(const Candidate& a, const Candidate& b) {
  return a.weight > b.weight || (a.weight == b.weight && a.id < b.id);
}

// As many as are likeliest; those as likely as the last of them stay, too.
void keep_top_k(std::size_t count, std::vector<Candidate>& from) {
  if (count == 0 || count >= from.size()) return;
  const auto last = from.begin() + static_cast<std::ptrdiff_t>(count) - 1;
  std::nth_element(from.begin(), last, from.end(), heavier);
  const float least = last->weight;
  from.erase(
      std::partition(last, from.end(), [&](const Candidate& one) { return one.weight >= least; }),
      from.end());
}

// The likeliest, one by one, until they have the share `top_p` of all; the one that reaches it
// stays.
void keep_top_p(float top_p, std::vector<Candidate>& from) {
  if (top_p >= 1) return;
  double all = 0, kept = 0;
  for (const Candidate& one : from) all += one.weight;
  std::size_t sorted = 0;
  for (std::size_t i = 0; i < from.size(); ++i) {
    if (i == sorted) {  // most of a vocabulary need not be sorted
      sorted = std::min(from.size(), std::max<std::size_t>(64, 4 * sorted));
      const auto begin = from.begin() + static_cast<std::ptrdiff_t>(i);
      std::partial_sort(begin, from.begin() + static_cast<std::ptrdiff_t>(sorted), from.end(),
                        heavier);
    }
    kept += from[i].weight;
    if (kept >= double{top_p} * all) return from.resize(i + 1);
  }
}

}  // namespace

std::string_view name_of(Stopped stopped) {
  constexpr std::string_view kNames[] = {"eos", "stop", "length"};
  return kNames[static_cast<std::size_t>(stopped)];
}

Sampler::Sampler(const GeneratePlan& plan, int vocab)
    : temperature_(plan.temperature),
      top_p_(plan.top_p),
      penalty_(plan.repetition_penalty),
      top_k_(static_cast<std::size_t>(std::max(plan.top_k, 0))),
      greedy_(plan.greedy || plan.temperature <= 0),
      rng_(plan.seed, 0x67656e),
      seen_(static_cast<std::size_t>(vocab), 0) {}

void Sampler::see(TokenId id) {
  CHECK(id >= 0 && static_cast<std::size_t>(id) < seen_.size(), "id {}", id);
  seen_[static_cast<std::size_t>(id)] = 1;
}

// A logit that is no number is never chosen.
float Sampler::penalised(std::span<const float> logits, std::size_t id) const {
  const float z = logits[id];
  if (std::isnan(z)) return kNever;
  if (penalty_ == 1 || seen_[id] == 0) return z;
  return z < 0 ? z * penalty_ : z / penalty_;
}

std::vector<Candidate> Sampler::candidates(std::span<const float> logits) const {
  float highest = kNever;
  for (std::size_t i = 0; i < logits.size(); ++i) highest = std::max(highest, penalised(logits, i));
  std::vector<Candidate> found;
  found.reserve(logits.size());
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const float z = penalised(logits, i);
    const float weight = z == highest ? 1.0f : std::exp((z - highest) / temperature_);
    if (weight > 0) found.push_back({static_cast<TokenId>(i), weight});
  }
  keep_top_k(top_k_, found);
  keep_top_p(top_p_, found);
  return found;
}

TokenId Sampler::choose(std::span<const float> logits) {
  TokenId likeliest = -1;
  float highest = kNever;
  for (std::size_t i = 0; i < logits.size(); ++i)
    if (const float z = penalised(logits, i); z > highest) {
      highest = z;
      likeliest = static_cast<TokenId>(i);
    }
  if (greedy_ || likeliest < 0) return likeliest;
  const std::vector<Candidate> from = candidates(logits);
  double all = 0;
  for (const Candidate& one : from) all += one.weight;
  double left = rng_.uniform() * all;
  for (const Candidate& one : from)
    if ((left -= one.weight) < 0) return one.id;
  return likeliest;
}

}  // namespace freshet
