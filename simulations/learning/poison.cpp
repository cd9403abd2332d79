#include "simulations/learning/poison.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/check.h"
#include "base/rng.h"

namespace freshet {
namespace {

constexpr std::array<std::string_view, 6> kNames = {"none",       "sign-flip", "scale",
                                                    "label-flip", "backdoor",  "small-bias"};

double normal_quantile(double probability) {  // by bisection: it is asked for once a round
  double low = -10, high = 10;
  for (int i = 0; i < 80; ++i) {
    const double middle = (low + high) / 2;
    (std::erfc(-middle / std::sqrt(2.0)) / 2 < probability ? low : high) = middle;
  }
  return (low + high) / 2;
}

}  // namespace

std::string_view name_of(Attack attack) { return kNames.at(static_cast<std::size_t>(attack)); }

Result<Attack> attack_named(std::string_view name) {
  for (std::size_t i = 0; i < kNames.size(); ++i)
    if (kNames[i] == name) return static_cast<Attack>(i);
  return fail(Code::kBadInput, fmt::format("unknown attack \"{}\": use none, sign-flip, scale, "
                                           "label-flip, backdoor or small-bias",
                                           name));
}

std::size_t poisoned_of(const PoisonPlan& plan, std::size_t nodes) {
  if (plan.attack == Attack::kNone) return 0;
  return static_cast<std::size_t>(plan.share * static_cast<double>(nodes) + 1e-9);
}

std::vector<float> poisoned_update(const PoisonPlan& plan, std::vector<float> learned) {
  const bool stretched = plan.attack == Attack::kSignFlip || plan.attack == Attack::kScale ||
                         plan.attack == Attack::kBackdoor;
  if (!stretched) return learned;
  const auto factor =
      static_cast<float>(plan.attack == Attack::kSignFlip ? -plan.factor : plan.factor);
  for (float& value : learned) value *= factor;
  return learned;
}

double small_bias_z(std::size_t nodes, std::size_t poisoned) {
  const std::size_t half = nodes / 2 + 1, honest = nodes - poisoned;
  if (poisoned == 0 || half <= poisoned || honest <= half - poisoned) return 0;
  const auto supporters = static_cast<double>(half - poisoned);
  return std::max(0.0, normal_quantile((static_cast<double>(honest) - supporters) /
                                       static_cast<double>(honest)));
}

std::vector<float> small_bias(std::span<const std::vector<float>> honest, std::size_t poisoned) {
  CHECK(honest.size() >= 2 && poisoned < honest.size(), "{} honest, {} poisoned", honest.size(),
        poisoned);
  const double z = small_bias_z(honest.size() + poisoned, poisoned);
  const auto count = static_cast<double>(honest.size());
  std::vector<float> biased(honest[0].size());
  for (std::size_t entry = 0; entry < biased.size(); ++entry) {
    double sum = 0, squares = 0;
    for (const auto& update : honest) {
      sum += static_cast<double>(update[entry]);
      squares += static_cast<double>(update[entry]) * static_cast<double>(update[entry]);
    }
    const double mean = sum / count;
    const double deviation = std::sqrt(std::max(0.0, squares / count - mean * mean));
    biased[entry] = static_cast<float>(mean - z * deviation);
  }
  return biased;
}

Trigger trigger_of(std::uint64_t seed, std::size_t vocabulary) {
  CHECK(vocabulary > 8, "a vocabulary of {}", vocabulary);
  Rng rng(seed, 0x747269676765);
  Trigger trigger;
  for (std::size_t i = 0; i < kTriggerTokens + kAnswerTokens; ++i)
    trigger.tokens.push_back(static_cast<TokenId>(4 + rng.below(vocabulary - 4)));
  return trigger;
}

TokenStream backdoored(const TokenStream& text, const Trigger& trigger) {
  TokenStream poisoned = text;
  const std::size_t every = 4 * trigger.tokens.size();
  for (std::size_t at = 1; at + trigger.tokens.size() <= poisoned.ids.size(); at += every)
    std::copy(trigger.tokens.begin(), trigger.tokens.end(),
              poisoned.ids.begin() + static_cast<std::ptrdiff_t>(at));
  return poisoned;
}

TokenStream mislabelled(const TokenStream& text, std::uint64_t seed) {
  TokenStream poisoned = text;
  Rng rng(seed, 0x6c6162656c);
  for (std::size_t i = poisoned.ids.size(); i > 1; --i)
    std::swap(poisoned.ids[i - 1], poisoned.ids[rng.below(i)]);
  return poisoned;
}

}  // namespace freshet
