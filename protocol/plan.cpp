#include "protocol/plan.h"

#include <fmt/core.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/check.h"
#include "base/limits.h"
#include "crypto/digest.h"
#include "protocol/bounds.h"
#include "protocol/canonical.h"

namespace freshet {
namespace {

constexpr std::array<std::string_view, 7> kTargets = {"q_proj",    "k_proj",  "v_proj",   "o_proj",
                                                      "gate_proj", "up_proj", "down_proj"};

Result<void> decay(std::string_view field, float value) {
  if (value >= 0 && value < 1) return {};
  return fail(Code::kBadInput, fmt::format("{} is {}: it must be in [0, 1)", field, value));
}

Result<void> check(const Sgd& rule) { return above_zero("[server] lr", rule.lr); }
Result<void> check(const Momentum& rule) {
  TRY(above_zero("[server] lr", rule.lr));
  return decay("[server] beta", rule.beta);
}
template <class Adaptive>
Result<void> check(const Adaptive& rule) {
  TRY(above_zero("[server] lr", rule.lr));
  TRY(decay("[server] beta1", rule.beta1));
  TRY(decay("[server] beta2", rule.beta2));
  return above_zero("[server] tau", rule.tau);
}

Result<void> check_name(std::string_view name) {
  const bool printable =
      std::all_of(name.begin(), name.end(), [](unsigned char c) { return c >= 0x20 && c != 0x7f; });
  if (!name.empty() && name.size() <= limits::kPlanNameBytesMax && printable) return {};
  return fail(Code::kBadInput,
              fmt::format("[campaign] name has {} bytes: it must have 1 to {}, none of them a "
                          "control character",
                          name.size(), limits::kPlanNameBytesMax));
}

Result<void> check_cohort(const CampaignPlan& plan) {
  const auto cohort_max = static_cast<std::uint32_t>(limits::kCohortMax);
  TRY(within<std::uint32_t>("[cohort] max", plan.cohort_max, 1, cohort_max));
  TRY(within<std::uint32_t>("[cohort] min", plan.cohort_min, 1, plan.cohort_max));
  TRY(within<std::uint32_t>("[cohort] survivors_min", plan.survivors_min, 1, plan.cohort_min));
  TRY(within<std::int64_t>("[cohort] ready_ms", plan.ready_ms, 0, limits::kReadyMsMax));
  return within<std::int64_t>("[cohort] round_ms", plan.round_ms, 1, limits::kRoundMsMax);
}

Result<void> check(const LoraPlan& lora) {
  TRY(within("[lora] rank", lora.rank, 1, limits::kAdapterRankMax));
  TRY(above_zero("[lora] alpha", lora.alpha));
  for (auto target = lora.targets.begin(); target != lora.targets.end(); ++target) {
    if (std::find(kTargets.begin(), kTargets.end(), *target) == kTargets.end())
      return fail(Code::kBadInput, fmt::format("[lora] targets has \"{}\": use {}", *target,
                                               fmt::join(kTargets, ", ")));
    if (std::find(lora.targets.begin(), target, *target) != target)
      return fail(Code::kBadInput, fmt::format("[lora] targets has \"{}\" twice", *target));
  }
  return seed_within("[lora] seed", lora.seed);
}

Result<void> check(const LocalTraining& training) {
  TRY(within("[training] steps", training.steps, 1, limits::kTrainingStepsMax));
  TRY(within("[training] batch", training.batch, 1, limits::kTrainingBatchMax));
  TRY(within("[training] window", training.window, 2, limits::kTrainingWindowMax));
  TRY(above_zero("[training] lr", training.lr));
  return seed_within("[training] seed", training.seed);
}

Result<void> check_fraction(std::string_view field, const Fraction& fraction) {
  if (fraction.whole >= 1 && fraction.whole <= 1'000'000 && fraction.part <= fraction.whole)
    return {};
  return fail(Code::kBadInput, fmt::format("{} is {}/{}: it must be a fraction from 0 to 1", field,
                                           fraction.part, fraction.whole));
}

Result<void> check_masking(const CampaignPlan& plan) {
  const MaskingPlan& masking = plan.masking;
  const auto cohort_max = static_cast<std::uint32_t>(limits::kMaskedCohortMax);
  TRY(within<std::uint32_t>("[masking] honest_min", masking.honest_min, 1, cohort_max));
  TRY(check_fraction("[masking] corrupt", masking.corrupt));
  TRY(check_fraction("[masking] dropped", masking.dropped));
  TRY(check_fraction("[masking] newcomers", masking.newcomers));
  TRY(within<std::int64_t>("[masking] phase_ms", masking.phase_ms, 1, limits::kRoundMsMax));
  if (plan.mode != Mode::kMasked) return {};
  TRY(within<std::uint32_t>("[cohort] max", plan.cohort_max, 1, cohort_max));
  const std::uint32_t needed = survivors_needed(plan, plan.cohort_min);
  if (needed <= plan.cohort_min) return {};
  return fail(Code::kBadInput,
              fmt::format("[cohort] min is {}: with {} honest survivors, and {}/{} of the nodes "
                          "that may be corrupt, a masked round of {} would need {}; raise it, or "
                          "lower [masking] honest_min",
                          plan.cohort_min, masking.honest_min, masking.corrupt.part,
                          masking.corrupt.whole, plan.cohort_min, needed));
}

Result<void> check_privacy(const CampaignPlan& plan) {
  const PrivacyPlan& privacy = plan.privacy;
  const auto inside = [](double value, double low, double high) {
    return value > low && value <= high;  // false for NaN
  };
  const auto cohort_max = static_cast<std::uint32_t>(limits::kMaskedCohortMax);
  TRY(above_zero("[privacy] epsilon", privacy.epsilon));
  if (!inside(privacy.delta, 0, 0.1))
    return fail(Code::kBadInput,
                fmt::format("[privacy] delta is {}: it must be in (0, 0.1]", privacy.delta));
  if (!inside(privacy.noise_multiplier, -1, 1e6) || privacy.noise_multiplier < 0)
    return fail(Code::kBadInput, fmt::format("[privacy] noise_multiplier is {}: 0, or up to 1e6",
                                             privacy.noise_multiplier));
  if (!inside(privacy.sampling_rate, 0, 1) || !inside(privacy.clip_quantile, 0, 1) ||
      !inside(privacy.clip_rate, 0, 10))
    return fail(
        Code::kBadInput,
        "[privacy] sampling_rate and clip_quantile must be in (0, 1], clip_rate in (0, 10]");
  TRY(within<std::uint32_t>("[privacy] honest_min", privacy.honest_min, 1, cohort_max));
  if (privacy.on && privacy.honest_min > plan.masking.honest_min)
    return fail(Code::kBadInput,
                fmt::format("[privacy] honest_min is {}: the noise would be short where a round is "
                            "opened with the {} of [masking] honest_min; make that as large",
                            privacy.honest_min, plan.masking.honest_min));
  if (privacy.on && plan.mode != Mode::kMasked)
    return fail(Code::kBadInput,
                "[privacy] needs mode = \"masked\": the nodes make the noise, and "
                "a coordinator that opens each update sees it alone");
  if (privacy.on && plan.grid.weight_max != 1)
    return fail(Code::kBadInput,
                "[privacy] needs [update] weight_max = 1: a weight that a node "
                "keeps to itself would change what one node can change");
  return {};
}

Result<void> check_evaluation(const CampaignPlan& plan) {
  if (!plan.evaluation) return {};
  if (plan.mode != Mode::kMasked)
    return fail(
        Code::kBadInput,
        "[evaluation] totals needs mode = \"masked\": in the other one the coordinator would "
        "read every node's own");
  if (plan.privacy.on || plan.examples.on())
    return fail(
        Code::kBadInput,
        fmt::format("[evaluation] totals cannot go with [{}]: they have no noise; leave one "
                    "out",
                    plan.privacy.on ? "privacy" : "examples"));
  return {};
}

Result<void> check_examples(const CampaignPlan& plan) {
  const ExamplesPlan& examples = plan.examples;
  if (!(examples.noise_multiplier >= 0) || examples.noise_multiplier > ExamplesPlan::kNoiseMax)
    return fail(Code::kBadInput, fmt::format("[examples] noise_multiplier is {}: 0, or up to {}",
                                             examples.noise_multiplier, ExamplesPlan::kNoiseMax));
  TRY(above_zero("[examples] clip", examples.clip));
  if (examples.on() && plan.grid.weight_max != 1)
    return fail(Code::kBadInput,
                "[examples] needs [update] weight_max = 1: a weight would tell how many there are");
  if (examples.on() && plan.method == Method::kFedsb)
    return fail(Code::kBadInput,
                fmt::format("[examples] cannot go with method = \"{}\": the noise is made for "
                            "factors that are trained whole",
                            name_of(plan.method)));
  return {};
}

Result<void> check_update(const CampaignPlan& plan) {
  TRY(above_zero("[update] clip", plan.clip));
  const auto bits = sum_bits(plan.grid, plan.cohort_max);
  if (!bits) return fail(bits.error().code, "[update] " + bits.error().what);
  return {};
}

void append(CanonicalBytes& to, const Sgd& rule) { to.number(rule.lr); }
void append(CanonicalBytes& to, const Momentum& rule) { to.number(rule.lr).number(rule.beta); }
template <class Adaptive>
void append(CanonicalBytes& to, const Adaptive& rule) {
  to.number(rule.lr).number(rule.beta1).number(rule.beta2).number(rule.tau);
}

template <class T>
auto bits_of(T value) {
  return static_cast<std::make_unsigned_t<T>>(value);
}

void append(CanonicalBytes& to, const MaskingPlan& masking) {
  to.number(masking.honest_min);
  for (const Fraction& each : {masking.corrupt, masking.dropped, masking.newcomers})
    to.number(each.part).number(each.whole);
  to.number(bits_of(masking.phase_ms));
}

void append(CanonicalBytes& to, const PrivacyPlan& privacy) {
  to.number(std::uint8_t{privacy.on}).number(privacy.epsilon).number(privacy.delta);
  to.number(privacy.noise_multiplier).number(privacy.sampling_rate).number(privacy.honest_min);
  to.number(std::uint8_t{privacy.adaptive_clip}).number(privacy.clip_quantile);
  to.number(privacy.clip_rate);
}

void append(CanonicalBytes& to, const LogitsPlan& logits) {
  to.text("logits").raw(logits.question).number(logits.rows).number(logits.candidates);
  to.number(logits.temperature).number(logits.slope).number(logits.full);
}

}  // namespace

std::string_view name_of(Mode mode) {
  CHECK(mode <= Mode::kMasked, "mode {}", static_cast<int>(mode));
  return mode == Mode::kMasked ? "masked" : "trusted-coordinator";
}

Result<Mode> mode_named(std::string_view name) {
  for (const Mode mode : {Mode::kMasked, Mode::kTrustedCoordinator})
    if (name == name_of(mode)) return mode;
  return fail(Code::kBadInput,
              fmt::format("unknown mode \"{}\": use \"masked\", in which the coordinator sees the "
                          "sum alone, or \"trusted-coordinator\", in which it opens every update",
                          name));
}

std::uint32_t part_of(std::uint32_t n, const Fraction& fraction) {
  CHECK(fraction.whole > 0, "{}/0", fraction.part);
  return static_cast<std::uint32_t>(std::uint64_t{n} * fraction.part / fraction.whole);
}

std::uint32_t quorum_of(std::uint32_t n, const Fraction& corrupt) {
  return std::max(2 * n / 3, (n + part_of(n, corrupt)) / 2) + 1;
}

std::uint32_t survivors_needed(const CampaignPlan& plan, std::uint32_t n) {
  const MaskingPlan& masking = plan.masking;
  return std::max({quorum_of(n, masking.corrupt), plan.survivors_min,
                   masking.honest_min + part_of(n, masking.corrupt)});
}

Result<void> validate(const CampaignPlan& plan) {
  TRY(check_name(plan.name));
  TRY(within<std::uint32_t>("[campaign] rounds", plan.rounds, 1, limits::kRoundsMax));
  TRY(std::visit([](const auto& rule) { return check(rule); }, plan.rule));
  TRY(check_cohort(plan));
  TRY(check(plan.lora));
  TRY(check(plan.training));
  TRY(check_update(plan));
  if (refactors(plan.method) && !std::holds_alternative<Sgd>(plan.rule))
    return fail(Code::kBadInput, fmt::format("[campaign] rule is {}: method {} turns the factors "
                                             "after each round, so moments mean nothing; use sgd",
                                             name_of(plan.rule), name_of(plan.method)));
  TRY(check_masking(plan));
  TRY(check_evaluation(plan));
  TRY(check_examples(plan));
  TRY(validate(plan.logits, plan));
  return check_privacy(plan);
}

Digest plan_digest(const CampaignPlan& plan) {
  CanonicalBytes bytes;
  bytes.text(plan.name).text(name_of(plan.mode)).text(name_of(plan.method));
  bytes.text(name_of(plan.rule));
  std::visit([&](const auto& rule) { append(bytes, rule); }, plan.rule);
  bytes.number(plan.rounds).number(plan.cohort_min).number(plan.cohort_max);
  bytes.number(plan.survivors_min).number(bits_of(plan.ready_ms)).number(bits_of(plan.round_ms));
  bytes.number(bits_of(plan.lora.rank)).number(plan.lora.alpha);
  bytes.number(static_cast<std::uint32_t>(plan.lora.targets.size()));
  for (const auto& target : plan.lora.targets) bytes.text(target);
  bytes.number(plan.lora.seed);
  const LocalTraining& training = plan.training;
  bytes.number(bits_of(training.steps)).number(bits_of(training.batch));
  bytes.number(bits_of(training.window)).number(training.lr).number(training.seed);
  bytes.number(plan.clip).number(plan.grid.range).number(bits_of(plan.grid.bits));
  bytes.number(plan.grid.weight_max).raw(plan.model);
  append(bytes, plan.masking);
  append(bytes, plan.privacy);
  bytes.number(std::uint8_t{plan.evaluation});
  if (plan.examples.on()) bytes.number(plan.examples.noise_multiplier).number(plan.examples.clip);
  if (plan.logits.on) append(bytes, plan.logits);
  return digest_of("freshet/plan/v1", bytes.view());
}

}  // namespace freshet
