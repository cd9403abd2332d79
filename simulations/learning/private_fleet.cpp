#include "simulations/learning/private_fleet.h"

#include <fmt/core.h>

#include <chrono>
#include <mutex>

#include "aggregation/clip.h"
#include "aggregation/mask.h"
#include "aggregation/privacy/adaptive_clip.h"
#include "aggregation/privacy/calibration.h"
#include "aggregation/privacy/noisy_update.h"
#include "aggregation/privacy/pld.h"
#include "base/rng.h"
#include "coordinator/refactoring.h"
#include "crypto/digest.h"
#include "crypto/keyed_rng.h"
#include "simulations/learning/node_work.h"

namespace freshet {
namespace {

constexpr CampaignId kCampaign{1};

// A node's secret, for a simulation that comes out the same again.
Secret secret_of(std::uint64_t seed, std::size_t node) {
  const std::uint64_t both[] = {seed, node};
  const Digest digest =
      digest_of("freshet/simulated-node/v1", as_bytes(std::span<const std::uint64_t>(both)));
  Secret secret(digest.size());
  std::copy(digest.begin(), digest.end(), secret.writable().begin());
  return secret;
}

FillRandom filled_from(KeyedRng& rng) {
  return [&rng](std::span<std::uint32_t> words) {
    for (std::uint32_t& word : words) word = rng.next_u32();
  };
}

class PrivateFleet {
 public:
  PrivateFleet(LanguageModel& model, const std::vector<FleetNode>& nodes, const FleetPlan& plan,
               const Layout& layout)
      : model_(model),
        nodes_(nodes),
        plan_(plan),
        layout_(layout),
        clip_(plan.campaign.clip),
        ledger_(Ledger::Owner::kCampaign),
        adapter_(initial_adapter(layout, plan.campaign.lora.seed)) {}

  Result<void> run(const std::function<void(std::uint64_t)>& round_done) {
    const PrivacyPlan& privacy = plan_.campaign.privacy;
    if (privacy.on) {
      noise_plan_ = noise_plan_of(privacy, plan_.campaign.rounds);
      TRY(ledger_.take(ledger_.record_of({privacy.epsilon, privacy.delta})));
    }
    result.clip_first = clip_;
    for (std::uint64_t version = 0; version < plan_.campaign.rounds; ++version) {
      TRY_ASSIGN(const bool opened, round(version));
      if (!opened) break;
      ++result.rounds;
      round_done(version + 1);
    }
    finish();
    return {};
  }

  const std::vector<float>& adapter() const { return adapter_; }
  PrivateFleetResult result;

 private:
  struct Shape {
    Layout phase;
    Grid grid;
    Noise noise;
    int bits;
  };

  Result<Shape> shape_of(std::uint64_t version) const {
    const Factors factors = factors_of(plan_.campaign.method, version);
    Shape shape{
        phase_layout(layout_, factors.a, factors.b, factors.core), plan_.campaign.grid, {}, 0};
    shape.grid.range = default_range(clip_);
    double sigma = 0;
    const auto most = static_cast<std::uint32_t>(nodes_.size());
    if (noise_plan_.on()) {
      TRY_ASSIGN(shape.noise, noise_of(noise_plan_, clip_, shape.grid, shape.phase.size));
      sigma = shape.noise.sigma_of_sum(most);
    }
    TRY_ASSIGN(shape.bits, word_bits(shape.grid, most, sigma));
    return shape;
  }

  std::vector<std::size_t> draw_cohort(std::uint64_t version) const {
    Rng rng(plan_.campaign.training.seed, version + 1);
    std::vector<std::size_t> cohort;
    const PrivacyPlan& privacy = plan_.campaign.privacy;
    for (std::size_t node = 0; node < nodes_.size(); ++node)
      if (rng.uniform() < privacy.sampling_rate) cohort.push_back(node);
    return cohort;
  }

  QuantizedUpdate contribution(const ClippedUpdate& update, bool within, std::size_t node,
                               std::uint64_t version, const Shape& shape) const {
    const Secret secret = secret_of(plan_.campaign.training.seed, node);
    KeyedRng rounding(secret, "rounding", kCampaign, {version});
    if (!noise_plan_.on()) return quantize(update, shape.grid, filled_from(rounding));
    QuantizedUpdate words = quantize_within(update, shape.grid, noise_plan_, shape.noise, within,
                                            filled_from(rounding));
    KeyedRng noise(secret, "noise", kCampaign, {version});
    add_noise(words, shape.noise, shape.bits, filled_from(noise));
    return words;
  }

  // What every node of the cohort sends; added as they come, since sums commute.
  Result<QuantizedSum> sum_of(const std::vector<std::size_t>& cohort, std::uint64_t version,
                              const Shape& shape) {
    QuantizedSum sum;
    std::mutex adding;
    const std::uint32_t low = shape.bits == 32 ? ~0u : (1u << shape.bits) - 1;
    TRY(over_nodes(cohort.size(), plan_.threads, [&](std::size_t i) -> Result<void> {
      const std::size_t node = cohort[i];
      TRY_ASSIGN(Update update, train_node(model_, plan_.campaign, layout_, adapter_, version, node,
                                           nodes_[node].corpus));
      TRY_ASSIGN(const Clipped clipped, clip(std::move(update), clip_));
      const bool within = clipped.norm_before <= clip_;
      const QuantizedUpdate words = contribution(clipped.update, within, node, version, shape);
      const std::lock_guard lock(adding);
      if (sum.count == 0) sum.words.assign(words.words.size(), 0);
      for (std::size_t at = 0; at < words.words.size(); ++at)
        sum.words[at] = (sum.words[at] + words.words[at]) & low;
      ++sum.count;
      clipped_ += within ? 0 : 1;
      return {};
    }));
    return sum;
  }

  // Charged before the sum is looked at; false: the budget ends here.
  Result<bool> charge(std::uint64_t version, std::uint32_t survivors, const Shape& shape) {
    if (!noise_plan_.on()) return true;
    Charge charge = charge_of(noise_plan_, shape.noise, shape.phase.size);
    charge.sid = digest_of(as_bytes(std::span<const std::uint64_t>(&version, 1)));
    charge.round = {version + 1};
    charge.survivors = survivors;
    const auto record = ledger_.admit(charge);
    if (!record && record.error().code == Code::kRefused) return false;
    if (!record) return tl::unexpected(record.error());
    TRY(ledger_.take(*record));
    return true;
  }

  Result<bool> round(std::uint64_t version) {
    TRY_ASSIGN(const Shape shape, shape_of(version));
    const std::vector<std::size_t> cohort = draw_cohort(version);
    if (cohort.empty() || cohort.size() < noise_plan_.honest_min)
      return fail(Code::kUnavailable,
                  fmt::format("round {} drew {} nodes, where the noise is "
                              "calibrated to {}",
                              version + 1, cohort.size(), noise_plan_.honest_min));
    TRY_ASSIGN(const QuantizedSum sum, sum_of(cohort, version, shape));
    TRY_ASSIGN(const bool admitted, charge(version, sum.count, shape));
    if (!admitted) return false;
    TRY(step(sum, version, shape));
    sent_ += cohort.size();
    result.word_bits = shape.bits;
    return true;
  }

  Result<void> step(const QuantizedSum& sum, std::uint64_t version, const Shape& shape) {
    MeanUpdate mean;
    if (noise_plan_.on()) {
      TRY_ASSIGN(NoisyMean noisy, noisy_mean(sum, shape.grid, noise_plan_, shape.bits));
      const PrivacyPlan& privacy = plan_.campaign.privacy;
      if (privacy.adaptive_clip)
        clip_ = next_clip(clip_, noisy.share_within, {privacy.clip_quantile, privacy.clip_rate});
      mean = std::move(noisy.mean);
    } else {
      TRY_ASSIGN(mean, dequantize_mean(sum, shape.grid));
    }
    const Factors factors = factors_of(plan_.campaign.method, version);
    Moments& moments = moments_[factors.a ? 1 : 0];
    ServerStep stepped = server_step(plan_.campaign.rule, std::move(moments), mean);
    moments = std::move(stepped.moments);
    scatter_add(layout_, shape.phase, stepped.delta, adapter_);
    if (refactors(plan_.campaign.method)) refactor_modules(layout_, adapter_);
    return {};
  }

  void finish() {
    result.multiplier = noise_plan_.multiplier;
    result.clip_last = clip_;
    result.cohort = static_cast<double>(sent_) / std::max(1u, result.rounds);
    result.share_clipped =
        static_cast<double>(clipped_) / static_cast<double>(std::max<std::size_t>(1, sent_));
    if (ledger_.charges().empty()) return;
    const Spent spent = ledger_.spent();
    result.epsilon = spent.epsilon;
    result.epsilon_unamplified = spent.epsilon_unamplified;
    result.pld_epsilon = pld_epsilon(ledger_.releases(true), spent.delta);
    result.pld_epsilon_unamplified = pld_epsilon(ledger_.releases(false), spent.delta);
  }

  LanguageModel& model_;
  const std::vector<FleetNode>& nodes_;
  const FleetPlan& plan_;
  const Layout& layout_;
  double clip_;
  NoisePlan noise_plan_;
  Ledger ledger_;
  std::vector<float> adapter_;
  Moments moments_[2];  // of B alone; of A, or of both
  std::size_t sent_ = 0, clipped_ = 0;
};

}  // namespace

Result<PrivateFleetResult> run_private_fleet(LanguageModel& model,
                                             const std::vector<FleetNode>& nodes,
                                             const FleetPlan& plan,
                                             const std::function<void(std::uint64_t)>& round_done) {
  TRY(validate(plan.campaign));
  TRY_ASSIGN(const Layout layout,
             adapter_layout(model.config(), {plan.campaign.lora.rank, plan.campaign.lora.alpha,
                                             plan.campaign.lora.targets}));
  PrivateFleet fleet(model, nodes, plan, layout);
  FleetResult learned;
  TRY_ASSIGN(learned.node_before, measure(model, nodes, plan, {{}}));
  const auto start = std::chrono::steady_clock::now();
  TRY(fleet.run(round_done));
  learned.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  TRY_ASSIGN(learned.node_after, measure(model, nodes, plan, {fleet.adapter()}));
  learned.adapter = fleet.adapter();
  learned.bpb_before = mean_of(learned.node_before);
  learned.bpb_after = mean_of(learned.node_after);
  fleet.result.learned = std::move(learned);
  return std::move(fleet.result);
}

}  // namespace freshet
