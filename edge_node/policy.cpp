#include "edge_node/policy.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "aggregation/evaluation.h"
#include "aggregation/mask.h"
#include "aggregation/privacy/calibration.h"
#include "base/limits.h"
#include "edge_node/device_rules.h"

namespace freshet {
namespace {

Refusal against(std::string why) { return {Declined::kPolicy, std::move(why)}; }
Refusal not_ours(std::string why) { return {Declined::kModel, std::move(why)}; }

template <class T>
bool allows(const std::vector<T>& list, const T& value) {
  return list.empty() || std::find(list.begin(), list.end(), value) != list.end();
}

bool below(const Fraction& a, const Fraction& b) {
  return std::uint64_t{a.part} * b.whole < std::uint64_t{b.part} * a.whole;
}

// What the round is about is what this node has.
std::optional<Refusal> other_than_loaded(const Descriptor& descriptor, const Loaded& loaded) {
  if (descriptor.version != Descriptor{}.version)
    return against(
        fmt::format("the round is of version {}, this node speaks {}: {} needs a newer "
                    "Freshet",
                    descriptor.version, Descriptor{}.version,
                    descriptor.version < Descriptor{}.version ? "the coordinator" : "this node"));
  if (descriptor.campaign != loaded.campaign || descriptor.plan != plan_digest(loaded.plan))
    return not_ours("the round is not of the plan that the coordinator announced");
  if (descriptor.base != loaded.version)
    return not_ours(fmt::format("the round starts from version {}, this node holds {}",
                                descriptor.base.value, loaded.version.value));
  if (descriptor.supplied != supplied_digest(loaded.model, loaded.adapter, loaded.version))
    return not_ours(
        "the round names another model or adapter than this node was given and has loaded: the "
        "coordinator does not show all nodes the same");
  if (descriptor.layout != loaded.layout)
    return not_ours("the round is of another layout than its plan and this model give");
  return std::nullopt;
}

// A multiplier that a plan does not state is found by search, in floating point: this machine's
// last digits may differ from the coordinator's.
bool is_as_planned(const NoisePlan& noise, const CampaignPlan& plan) {
  constexpr double kOtherMachines = 1e-5;
  NoisePlan planned = noise_plan_of(plan.privacy, plan.rounds);
  const double apart = std::abs(noise.multiplier - planned.multiplier);
  const double allowed = plan.privacy.noise_multiplier > 0 ? 0 : kOtherMachines;
  if (!(apart <= allowed * planned.multiplier)) return false;
  planned.multiplier = noise.multiplier;
  return noise == planned;
}

// The numbers of the round are those of the announced plan.
std::optional<Refusal> other_than_planned(const Descriptor& descriptor, const CampaignPlan& plan) {
  if (!(descriptor.grid == plan.grid)) return not_ours("the round has another grid than its plan");
  if (!plan.privacy.adaptive_clip && descriptor.clip != plan.clip)
    return not_ours(
        fmt::format("the round clips at {}, its plan at {}", descriptor.clip, plan.clip));
  if (descriptor.cohort_max > plan.cohort_max)
    return not_ours(fmt::format("the round takes {} nodes, its plan {} at most",
                                descriptor.cohort_max, plan.cohort_max));
  const MaskingPlan& masking = plan.masking;
  const bool same =
      descriptor.honest_min == masking.honest_min && descriptor.corrupt == masking.corrupt &&
      descriptor.dropped == masking.dropped && descriptor.newcomers == masking.newcomers &&
      descriptor.survivors_min == plan.survivors_min && descriptor.phase_ms == masking.phase_ms;
  if (!same) return not_ours("the round protects its members otherwise than its plan");
  if (descriptor.extras != (plan.evaluation ? evaluation_words(plan.grid) : 0))
    return not_ours("the round asks for other words beside the update than its plan");
  if (plan.privacy.on != descriptor.noise.on())
    return not_ours(plan.privacy.on ? "its plan has noise, the round has none"
                                    : "the round has noise, its plan has none");
  if (plan.privacy.on && !is_as_planned(descriptor.noise, plan))
    return not_ours(fmt::format(
        "the round's noise is {} of the clip at a sampling rate of {}, for {} honest "
        "survivors: its plan gives another",
        descriptor.noise.multiplier, descriptor.noise.sampling_rate, descriptor.noise.honest_min));
  return std::nullopt;
}

std::optional<Refusal> too_little(const NodePolicy& policy, const Descriptor& descriptor) {
  if (descriptor.honest_min < policy.honest_min)
    return against(
        fmt::format("the round is content with {} honest survivors, this node's policy "
                    "wants {}",
                    descriptor.honest_min, policy.honest_min));
  if (below(descriptor.corrupt, policy.corrupt))
    return against(fmt::format(
        "the round stands up to {}/{} of corrupt members, this node's policy wants {}/{}",
        descriptor.corrupt.part, descriptor.corrupt.whole, policy.corrupt.part,
        policy.corrupt.whole));
  if (policy.epsilon_max && !descriptor.noise.on())
    return against("the round has no noise, and this node's policy has an epsilon_max");
  if (descriptor.noise.on() && descriptor.noise.honest_min > descriptor.honest_min)
    return against("the round's noise counts on more honest survivors than it waits for");
  if (descriptor.extras != 0 && descriptor.extras != evaluation_words(descriptor.grid))
    return against(fmt::format("the round asks for {} words beside the update, this node knows {}",
                               descriptor.extras, evaluation_words(descriptor.grid)));
  if (descriptor.extras != 0 && descriptor.noise.on())
    return against("the round has noise, and asks for evaluation totals that would have none");
  if (!policy.evaluation && descriptor.extras != 0)
    return against("the round asks for evaluation totals, which this node's policy does not lend");
  return std::nullopt;
}

// I10: no sum may wrap.
std::optional<Refusal> too_narrow(const Descriptor& descriptor, std::size_t entries) {
  double sigma = 0;
  if (descriptor.noise.on()) {
    const auto noise = noise_of(descriptor.noise, descriptor.clip, descriptor.grid, entries);
    if (!noise) return against("the round's noise: " + noise.error().what);
    sigma = noise->sigma_of_sum(descriptor.cohort_max);
  }
  const auto bits = word_bits(descriptor.grid, descriptor.cohort_max, sigma);
  if (!bits) return against("the round's grid: " + bits.error().what);
  if (descriptor.word_bits < static_cast<std::uint32_t>(*bits) || descriptor.word_bits > 32)
    return against(fmt::format("words of {} bits, where the sum of {} nodes takes {}",
                               descriptor.word_bits, descriptor.cohort_max, *bits));
  return std::nullopt;
}

}  // namespace

std::optional<Refusal> refusal_of(const NodePolicy& policy, const CampaignPlan& plan) {
  const auto fits = [&](const std::string& each) { return matches_name(each, plan.name); };
  if (!policy.names.empty() && std::none_of(policy.names.begin(), policy.names.end(), fits))
    return against(fmt::format(
        "this node's policy does not name campaign \"{}\" ([campaigns] names)", plan.name));
  if (!allows(policy.modes, plan.mode))
    return against(
        plan.mode == Mode::kTrustedCoordinator
            ? "its coordinator would open every update (mode \"trusted-coordinator\"): "
              "if you trust it so far, start the node with --trust-coordinator"
            : fmt::format("this node's policy does not allow mode \"{}\"", name_of(plan.mode)));
  if (!allows(policy.methods, plan.method))
    return against(
        fmt::format("this node's policy does not allow method \"{}\"", name_of(plan.method)));
  if (!plan.logits.on && !allows(policy.models, plan.model))
    return against(fmt::format("this node's policy does not list model {}", to_hex(plan.model)));
  if (plan.logits.on && std::find(policy.questions.begin(), policy.questions.end(),
                                  plan.logits.question) == policy.questions.end())
    return against(
        fmt::format("it asks question {}, which this node's policy does not list: read it with "
                    "`freshet model question FILE --show MODEL`, then add it to [campaigns] "
                    "questions",
                    to_hex(plan.logits.question)));
  if (plan.mode != Mode::kMasked) return std::nullopt;
  if (policy.epsilon_max && !plan.privacy.on)
    return against("it has no noise, and this node's policy has an epsilon_max");
  if (policy.epsilon_max && plan.privacy.epsilon > *policy.epsilon_max)
    return against(fmt::format("it may spend epsilon {}, this node's policy {} at most",
                               plan.privacy.epsilon, *policy.epsilon_max));
  Descriptor asked;
  asked.honest_min = plan.masking.honest_min;
  asked.corrupt = plan.masking.corrupt;
  asked.noise.multiplier = plan.privacy.on ? 1 : 0;
  asked.extras = plan.evaluation ? evaluation_words(asked.grid) : 0;
  return too_little(policy, asked);
}

std::optional<Refusal> refusal_of(const NodePolicy& policy, const Descriptor& descriptor,
                                  const Loaded& loaded) {
  if (loaded.plan.mode != Mode::kMasked) return not_ours("the campaign is not a masked one");
  if (auto refusal = refusal_of(policy, loaded.plan)) return refusal;
  if (auto refusal = other_than_loaded(descriptor, loaded)) return refusal;
  if (!allows(policy.layouts, loaded.layout))
    return against(
        fmt::format("this node's policy does not list layout {}", to_hex(loaded.layout)));
  if (auto refusal = other_than_planned(descriptor, loaded.plan)) return refusal;
  if (auto refusal = too_little(policy, descriptor)) return refusal;
  return too_narrow(descriptor, loaded.entries);
}

exchange::Rules rules_of(const NodePolicy& policy, const Descriptor& descriptor) {
  return {std::max(policy.honest_min, descriptor.honest_min),
          below(policy.corrupt, descriptor.corrupt) ? descriptor.corrupt : policy.corrupt};
}

}  // namespace freshet
