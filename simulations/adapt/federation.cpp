#include "simulations/adapt/federation.h"

#include <cmath>
#include <optional>

#include "aggregation/clip.h"
#include "aggregation/mask.h"
#include "aggregation/pack.h"
#include "base/rng.h"
#include "simulations/adapt/pair.h"
#include "simulations/learning/node_work.h"
#include "simulations/learning/private_fleet.h"
#include "trainer/adaptation/own_text.h"
#include "trainer/finetune.h"

namespace freshet {
namespace {

constexpr int kShareBits = 20;                         // of a share of a vocabulary
constexpr std::uint64_t kAnswerRounding = 0x616e7377;  // stream of the generator that rounds

// What one node sends, before it is rounded.
std::vector<float> answer_of_node(const NodeModel& node, const std::vector<float>& adapter,
                                  const TokenStream& own, const Prompts& prompts,
                                  const CandidateSets& candidates, const AnswerPlan& plan) {
  const Worn tuned(*node.model, node.spec, plan.untuned ? node.start : adapter);
  const Lora none;
  ModelLogits of_tuned(*node.model, tuned.lora()), of_base(*node.model, none);
  std::optional<ForeignLogits> foreign_tuned, foreign_base;
  if (node.bridge != nullptr) {
    foreign_tuned.emplace(of_tuned, *node.bridge, node.hearing);
    foreign_base.emplace(of_base, *node.bridge, node.hearing);
  }
  LogitSource& speaks = foreign_tuned ? static_cast<LogitSource&>(*foreign_tuned) : of_tuned;
  LogitSource& base = foreign_base ? static_cast<LogitSource&>(*foreign_base) : of_base;
  std::vector<float> confidence =
      plan.untuned ? std::vector<float>(static_cast<std::size_t>(prompts.rows()), 1.0f)
                   : confidence_of(prompts, next_log_probs(speaks, prompts),
                                   next_log_probs(base, prompts), plan.confidence);
  silence_own(prompts, OwnText(own.ids), confidence);
  if (foreign_tuned) {
    const std::vector<std::uint8_t> heard = rows_heard(*foreign_tuned, prompts);
    for (std::size_t row = 0; row < heard.size(); ++row)
      if (heard[row] == 0) confidence[row] = 0;
  }
  return logit_vector(candidates, answer(speaks, prompts, candidates, plan.temperature),
                      confidence);
}

}  // namespace

Result<std::uint64_t> campaign_bytes(const Layout& layout, const CampaignPlan& campaign,
                                     std::size_t nodes) {
  TRY_ASSIGN(const int bits, word_bits(campaign.grid, static_cast<std::uint32_t>(nodes), 0));
  std::uint64_t bytes = 0;
  for (std::uint64_t version = 0; version < campaign.rounds; ++version) {
    const Factors factors = factors_of(campaign.method, version);
    bytes += packed_bytes(phase_layout(layout, factors.a, factors.b, factors.core).size + 1, bits);
  }
  return bytes;
}

Result<Federated> federate(const Transformer& model, const std::vector<FleetNode>& nodes,
                           CampaignPlan campaign, int threads) {
  const auto count = static_cast<std::uint32_t>(nodes.size());
  campaign.name = "adapt";
  campaign.mode = Mode::kMasked;
  campaign.cohort_min = campaign.cohort_max = campaign.survivors_min = count;
  campaign.privacy.sampling_rate = 1;
  campaign.grid.range = default_range(campaign.clip);
  Federated result;
  result.spec = {campaign.lora.rank, campaign.lora.alpha, campaign.lora.targets};
  TRY_ASSIGN(const Layout layout, adapter_layout(model.config, result.spec));
  TRY_ASSIGN(result.bytes_up, campaign_bytes(layout, campaign, nodes.size()));
  FrozenModel face(model);
  FleetPlan plan;
  plan.campaign = std::move(campaign);
  plan.threads = threads;
  TRY_ASSIGN(PrivateFleetResult fleet, run_private_fleet(face, nodes, plan, [](std::uint64_t) {}));
  result.adapter = std::move(fleet.learned.adapter);
  result.seconds = fleet.learned.seconds;
  return result;
}

Result<std::vector<std::vector<float>>> tune_at_home(const std::vector<NodeModel>& models,
                                                     const std::vector<FleetNode>& nodes,
                                                     const HomePlan& plan) {
  std::vector<std::vector<float>> adapters(nodes.size());
  TRY(over_nodes(nodes.size(), plan.threads, [&](std::size_t i) -> Result<void> {
    FinetunePlan training{.adapter = models[i].spec,
                          .train_a = true,
                          .train_b = true,
                          .steps = plan.steps,
                          .batch = plan.batch,
                          .window = plan.window,
                          .lr = plan.lr,
                          .seed = plan.seed + i};
    TRY_ASSIGN(Finetuned tuned,
               finetune(*models[i].model, training, models[i].start,
                        models[i].text != nullptr ? *models[i].text : nodes[i].corpus.train, {}));
    adapters[i] = std::move(tuned.adapter);
    return {};
  }));
  return adapters;
}

Result<MaskedMean> mean_of_masked(std::size_t nodes, const Grid& grid, double norm_max,
                                  std::uint64_t seed,
                                  const std::function<std::vector<float>(std::size_t)>& of_node) {
  TRY_ASSIGN(const int bits, word_bits(grid, static_cast<std::uint32_t>(nodes), 0));
  const std::uint32_t low = bits == 32 ? ~0u : (1u << bits) - 1;
  QuantizedSum sum;
  for (std::size_t i = 0; i < nodes; ++i) {
    TRY_ASSIGN(const Clipped clipped, clip(Update{of_node(i), 1}, norm_max));
    Rng rounding(seed + i, kAnswerRounding);
    const QuantizedUpdate words =
        quantize(clipped.update, grid, [&](std::span<std::uint32_t> fill) {
          for (std::uint32_t& word : fill) word = rounding.next_u32();
        });
    sum.words.resize(words.words.size());
    for (std::size_t at = 0; at < words.words.size(); ++at)
      sum.words[at] = (sum.words[at] + words.words[at]) & low;
    ++sum.count;
  }
  TRY_ASSIGN(MeanUpdate mean, dequantize_mean(sum, grid));
  return MaskedMean{std::move(mean.values), packed_bytes(sum.words.size(), bits)};
}

Result<MaskedMean> shares_of_ids(const std::vector<FleetNode>& nodes, int vocab,
                                 std::uint64_t seed) {
  TRY_ASSIGN(
      MaskedMean mean,
      mean_of_masked(nodes.size(), {.range = 1, .bits = kShareBits}, 1, seed, [&](std::size_t i) {
        const std::vector<TokenId>& ids = nodes[i].corpus.train.ids;
        std::vector<float> shares(static_cast<std::size_t>(vocab));
        for (const TokenId id : ids)
          shares[static_cast<std::size_t>(id)] += 1.0f / static_cast<float>(ids.size());
        return shares;
      }));
  for (float& share : mean.values) share = std::max(0.0f, share);  // what rounding made negative
  return mean;
}

Result<JointAnswer> answer_together(const std::vector<NodeModel>& models,
                                 const std::vector<std::vector<float>>& adapters,
                                 const std::vector<FleetNode>& nodes, Prompts prompts,
                                 CandidateSets candidates, const AnswerPlan& plan) {
  TRY_ASSIGN(
      const MaskedMean mean,
      mean_of_masked(nodes.size(), {.range = 1, .bits = plan.bits},
                     std::sqrt(static_cast<double>(prompts.rows())), plan.seed, [&](std::size_t i) {
                       return answer_of_node(models[i], adapters[i], nodes[i].corpus.train, prompts,
                                             candidates, plan);
                     }));
  JointAnswer answered;
  answered.bytes_up = mean.bytes_up;
  TRY_ASSIGN(answered.lesson, lesson_of_mean(std::move(prompts), std::move(candidates),
                                             plan.temperature, mean.values, plan.reading));
  return answered;
}

}  // namespace freshet
