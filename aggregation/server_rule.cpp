#include "aggregation/server_rule.h"

#include <fmt/core.h>

#include <array>
#include <cmath>

#include "base/check.h"

namespace freshet {
namespace {

// Each rule is one entry's arithmetic: (mean, first moment, second moment) -> delta, moments
// updated in place.

auto entry_rule(const Sgd& rule) {
  return [rule](float mean, float*, float*) { return rule.lr * mean; };
}

auto entry_rule(const Momentum& rule) {
  return [rule](float mean, float* first, float*) {
    *first = rule.beta * *first + mean;
    return rule.lr * *first;
  };
}

template <class Adaptive>
float adaptive_delta(const Adaptive& rule, float mean, float* first, float second) {
  *first = rule.beta1 * *first + (1 - rule.beta1) * mean;
  return rule.lr * *first / (std::sqrt(second) + rule.tau);
}

auto entry_rule(const Adam& rule) {
  return [rule](float mean, float* first, float* second) {
    *second = rule.beta2 * *second + (1 - rule.beta2) * mean * mean;
    return adaptive_delta(rule, mean, first, *second);
  };
}

auto entry_rule(const Yogi& rule) {
  return [rule](float mean, float* first, float* second) {
    const float square = mean * mean;
    const float sign = *second > square ? 1.0f : *second < square ? -1.0f : 0.0f;
    *second -= (1 - rule.beta2) * square * sign;
    return adaptive_delta(rule, mean, first, *second);
  };
}

template <class Rule>
constexpr int kMoments = 2;
template <>
constexpr int kMoments<Sgd> = 0;
template <>
constexpr int kMoments<Momentum> = 1;

void prepare(std::vector<float>& moment, bool used, std::size_t size) {
  if (!used) return;
  if (moment.empty()) moment.assign(size, 0.0f);
  CHECK(moment.size() == size, "a moment of {} entries for a mean of {}", moment.size(), size);
}

constexpr std::array<std::string_view, 4> kNames = {"sgd", "momentum", "adam", "yogi"};

}  // namespace

ServerStep server_step(const ServerRule& rule, Moments moments, const MeanUpdate& mean) {
  ServerStep step{std::vector<float>(mean.values.size()), std::move(moments)};
  std::visit(
      [&]<class Rule>(const Rule& chosen) {
        prepare(step.moments.first, kMoments<Rule> >= 1, mean.values.size());
        prepare(step.moments.second, kMoments<Rule> >= 2, mean.values.size());
        const auto entry = entry_rule(chosen);
        float* first = step.moments.first.data();
        float* second = step.moments.second.data();
        for (std::size_t i = 0; i < mean.values.size(); ++i)
          step.delta[i] = entry(mean.values[i], kMoments<Rule> >= 1 ? first + i : nullptr,
                                kMoments<Rule> >= 2 ? second + i : nullptr);
      },
      rule);
  return step;
}

std::string_view name_of(const ServerRule& rule) { return kNames.at(rule.index()); }

Result<ServerRule> server_rule_named(std::string_view name) {
  if (name == "sgd") return Sgd{};
  if (name == "momentum") return Momentum{};
  if (name == "adam") return Adam{};
  if (name == "yogi") return Yogi{};
  return fail(Code::kBadInput,
              fmt::format("unknown server rule \"{}\": use sgd, momentum, adam or yogi", name));
}

}  // namespace freshet
