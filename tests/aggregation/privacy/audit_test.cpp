// A one-run audit of the real mechanism: canaries that are nodes of their own, each with a
// direction that nobody else has, in the campaign or not by a coin; the auditor sees every opened
// sum. It must find them where there is no noise, and prove no more than the ledger says where
// there is.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>

#include "aggregation/clip.h"
#include "aggregation/privacy/calibration.h"
#include "aggregation/privacy/noisy_update.h"
#include "aggregation/privacy/one_run_audit.h"
#include "base/rng.h"
#include "crypto/keyed_rng.h"

namespace freshet {
namespace {

TEST(OneRunAudit, GivesThePublishedBounds) {
  EXPECT_NEAR(audited_epsilon(100, 60), .0519, 1e-4);
  EXPECT_NEAR(audited_epsilon(100, 75), .7022, 1e-4);
  EXPECT_NEAR(audited_epsilon(100, 95), 2.1724, 1e-4);
  EXPECT_NEAR(audited_epsilon(100, 100), 3.493, 1e-3);
  EXPECT_NEAR(audited_epsilon(1000, 600), .2975, 1e-4);
  EXPECT_EQ(audited_epsilon(100, 50), 0);
  EXPECT_EQ(audited_epsilon(0, 0), 0);
}

constexpr std::size_t kOwn = 4, kCanaries = 400, kEntries = kOwn * kCanaries, kNodes = 40;
constexpr std::uint32_t kRounds = 3;
constexpr double kClip = 1;
constexpr int kBits = 30;
const Grid kGrid{.range = static_cast<float>(kClip), .bits = 12, .weight_max = 1};

FillRandom keyed(std::uint64_t node, std::uint64_t round) {
  Secret key(32);
  std::fill(key.writable().begin(), key.writable().end(), static_cast<std::uint8_t>(7));
  auto rng = std::make_shared<KeyedRng>(key, "audit", CampaignId{node}, VersionId{round});
  return [rng](std::span<std::uint32_t> words) {
    for (std::uint32_t& word : words) word = rng->next_u32();
  };
}

// A canary has kOwn entries to itself, and is twice as long as the clip; another node is noise.
Update update_of(std::size_t node, std::uint64_t round) {
  Update update{std::vector<float>(kEntries), 1};
  Rng rng(node, round);
  if (node >= kCanaries)
    for (float& value : update.values) value = static_cast<float>(rng.normal() / 40);
  else
    for (std::size_t i = 0; i < kOwn; ++i)
      update.values[kOwn * node + i] = static_cast<float>(2 * kClip / std::sqrt(kOwn));
  return update;
}

struct Audit {
  double epsilon = 0;  // proven
  double spent = 0;    // by the ledger
};

Audit audit(const NoisePlan& plan, const Budget& budget) {
  std::vector<bool> in(kCanaries);
  Rng coins(11);
  for (std::size_t i = 0; i < kCanaries; ++i) in[i] = coins.next_u32() & 1;
  const Noise noise = plan.on() ? *noise_of(plan, kClip, kGrid, kEntries) : Noise{};
  Ledger ledger(Ledger::Owner::kCampaign);
  EXPECT_TRUE(ledger.take(ledger.record_of(budget)));
  std::vector<double> score(kCanaries);
  for (std::uint32_t round = 0; round < kRounds; ++round) {
    QuantizedSum sum{std::vector<std::uint32_t>(kEntries + 1), 0};
    for (std::size_t node = 0; node < kCanaries + kNodes; ++node) {
      if (node < kCanaries && !in[node]) continue;
      const Clipped clipped = *clip(update_of(node, round), kClip);
      const FillRandom fill = keyed(node, round);
      QuantizedUpdate words = plan.on()
                                  ? quantize_within(clipped.update, kGrid, plan, noise, false, fill)
                                  : quantize(clipped.update, kGrid, fill);
      if (plan.on()) add_noise(words, noise, kBits, fill);
      for (std::size_t i = 0; i < sum.words.size(); ++i)
        sum.words[i] = (sum.words[i] + words.words[i]) & ((1u << kBits) - 1);
      ++sum.count;
    }
    if (plan.on()) {
      Charge charge = charge_of(plan, noise, kEntries);
      charge.sid[0] = static_cast<std::uint8_t>(round);
      EXPECT_TRUE(ledger.take(*ledger.admit(charge)));
    }
    const NoisyMean mean = *noisy_mean(sum, kGrid, plan, kBits);
    for (std::size_t i = 0; i < kCanaries; ++i)
      for (std::size_t k = 0; k < kOwn; ++k) score[i] += mean.mean.values[kOwn * i + k];
  }
  // The quarter that looks most like members is guessed in, the quarter that looks least out.
  std::vector<std::size_t> order(kCanaries);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t i, std::size_t j) { return score[i] > score[j]; });
  std::uint32_t right = 0;
  const std::uint32_t each = kCanaries / 4;
  for (std::uint32_t i = 0; i < each; ++i) right += in[order[i]] + !in[order[kCanaries - 1 - i]];
  return {audited_epsilon(2 * each, right), ledger.spent().epsilon};
}

TEST(OneRunAudit, FindsItsCanariesWithoutNoise) {
  EXPECT_GT(audit({}, {1, 1e-5}).epsilon, 3.5);  // every guess is right
}

TEST(OneRunAudit, ProvesNoMoreThanTheLedgerSays) {
  double last = INFINITY;
  for (const double epsilon : {8.0, 2.0, .5}) {
    const PrivacyPlan privacy{.on = true, .epsilon = epsilon, .delta = 1e-5, .honest_min = 100};
    const Audit found = audit(noise_plan_of(privacy, kRounds), {epsilon, 1e-5});
    EXPECT_NEAR(found.spent, epsilon, 1e-3);
    EXPECT_LE(found.epsilon, found.spent);
    EXPECT_LE(found.epsilon, last) << "more noise proves less";
    last = found.epsilon;
  }
}

// A mistake that the audit must see: a fortieth of the noise that epsilon asks for.
TEST(OneRunAudit, SeesNoiseThatIsTooSmall) {
  const PrivacyPlan privacy{.on = true, .epsilon = .5, .delta = 1e-5, .honest_min = 100};
  const NoisePlan plan = noise_plan_of(privacy, kRounds);
  NoisePlan short_of_noise = plan;
  short_of_noise.multiplier /= 40;
  const Audit found = audit(short_of_noise, {1e5, 1e-5});
  EXPECT_GT(found.epsilon, .5);
}

}  // namespace
}  // namespace freshet
