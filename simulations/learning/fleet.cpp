#include "simulations/learning/fleet.h"

#include <chrono>
#include <cmath>
#include <deque>
#include <optional>

#include "aggregation/clip.h"
#include "aggregation/robust/sum_audit.h"
#include "coordinator/summing.h"
#include "crypto/digest.h"
#include "crypto/keyed_rng.h"
#include "simulations/learning/masked_round.h"
#include "simulations/learning/node_work.h"

namespace freshet {
namespace {

constexpr CampaignId kFleetCampaign{1};
constexpr double kNoClip = 1e30;

class Fleet {
 public:
  Fleet(LanguageModel& model, const std::vector<FleetNode>& nodes, const FleetPlan& plan,
        Layout layout, BlobStore adapters, BlobStore uploads, Path moments)
      : model_(model),
        nodes_(nodes),
        plan_(plan),
        layout_(std::move(layout)),
        adapters_(std::move(adapters)),
        uploads_(std::move(uploads)),
        moments_(std::move(moments)),
        coordinator_(Identity::generate()),
        storage_(Secret::random(32)),
        contributions_(nodes.size()),
        poisoned_(poisoned_of(plan.poison, nodes.size())) {
    const auto vocabulary = static_cast<std::size_t>(model.config().vocab_size);
    for (std::size_t node = 0; node < poisoned_; ++node) {
      Corpus& corpus = poison_.emplace_back(nodes[node].corpus);
      const std::uint64_t seed = plan.campaign.training.seed;
      if (plan.poison.attack == Attack::kLabelFlip)
        corpus.train = mislabelled(corpus.train, seed + node);
      if (plan.poison.attack == Attack::kBackdoor)
        corpus.train = backdoored(corpus.train, trigger_of(seed, vocabulary));
    }
  }

  Result<std::vector<float>> run(const std::function<void(std::uint64_t)>& round_done) {
    TRY_ASSIGN(const Digest first,
               store_floats(adapters_, initial_adapter(layout_, plan_.campaign.lora.seed)));
    state_ = campaign::begin(kFleetCampaign, campaign::rules_of(plan_.campaign), first, now_);
    for (std::size_t i = 0; i < nodes_.size(); ++i) take(campaign::Hello{id_of(i), now_});
    while (!campaign::is_over(state_)) {
      TRY(act());
      now_ = now_ + 1;
      for (const campaign::Event& event : campaign::due(state_, now_, plan_.campaign.training.seed))
        take(event);
      if (state_.version.value != told_) round_done(told_ = state_.version.value);
    }
    if (const auto* failed = std::get_if<campaign::Failed>(&state_.phase))
      return fail(Code::kExpired, failed->why);
    return load_floats(adapters_, state_.adapter, layout_.size);
  }
  std::size_t refused() const { return refused_; }
  std::size_t held_back() const { return held_back_; }

 private:
  NodeId id_of(std::size_t node) const { return {node + 1}; }

  void take(const campaign::Event& event) {
    campaign::Step step = campaign::step(std::move(state_), event);
    state_ = std::move(step.next);
    for (campaign::Effect& effect : step.effects) effects_.push_back(std::move(effect));
  }

  Result<void> act() {
    std::vector<std::size_t> to_train;
    while (!effects_.empty()) {
      const campaign::Effect effect = std::move(effects_.front());
      effects_.pop_front();
      if (const auto* announce = std::get_if<campaign::SendAnnounce>(&effect))
        to_train.push_back(announce->node.value - 1);
      if (const auto* invite = std::get_if<campaign::SendInvite>(&effect)) TRY(upload(*invite));
      if (const auto* sum = std::get_if<campaign::AddAndStep>(&effect)) TRY(add(*sum));
      if (const auto* drop = std::get_if<campaign::DropUploads>(&effect))
        for (const Digest& upload : drop->uploads) TRY(uploads_.remove(upload));
    }
    return train(to_train);
  }

  Result<void> train(const std::vector<std::size_t>& to_train) {
    if (to_train.empty()) return {};
    const std::uint64_t version = state_.version.value;
    TRY_ASSIGN(const std::vector<float> adapter,
               load_floats(adapters_, state_.adapter, layout_.size));
    TRY(over_nodes(to_train.size(), plan_.threads, [&](std::size_t i) -> Result<void> {
      const std::size_t node = to_train[i];
      const bool poisoned = node < poisoned_;
      TRY_ASSIGN(Update update, train_node(model_, plan_.campaign, layout_, adapter, version, node,
                                           poisoned ? poison_[node] : nodes_[node].corpus));
      if (poisoned) update.values = poisoned_update(plan_.poison, std::move(update.values));
      return contribute(node, std::move(update.values));
    }));
    TRY(bias_together());
    for (std::size_t node : to_train) take(campaign::Ready{id_of(node), {version}, now_});
    return {};
  }

  Result<void> contribute(std::size_t node, std::vector<float> learned) {
    const bool clips = node >= poisoned_ || plan_.poison.clips;
    TRY_ASSIGN(Clipped clipped,
               clip({std::move(learned), 1}, clips ? plan_.campaign.clip : kNoClip));
    contributions_[node] = std::move(clipped.update);
    return {};
  }

  // Poisoned nodes that know what the honest ones learned.
  Result<void> bias_together() {
    if (poisoned_ == 0 || plan_.poison.attack != Attack::kSmallBias) return {};
    std::vector<std::vector<float>> honest;
    for (std::size_t node = poisoned_; node < nodes_.size(); ++node)
      honest.push_back(contributions_[node].values);
    const std::vector<float> biased = small_bias(honest, poisoned_);
    for (std::size_t node = 0; node < poisoned_; ++node) TRY(contribute(node, biased));
    return {};
  }

  Result<void> upload(const campaign::SendInvite& invite) {
    const std::size_t node = invite.node.value - 1;
    if (plan_.summing != Summing::kSealed) {  // not before all are known: mean_in_memory()
      const Digest upload =
          digest_of(as_bytes(std::span<const float>(contributions_[node].values)));
      take(campaign::Uploaded{invite.node, invite.round, upload, now_});
      return {};
    }
    const RoundShape shape = round_shape(plan_.campaign, layout_, invite.base);
    const SealedUpdate sealed =
        seal_update(quantized(node, invite.base), plan_.campaign.grid, coordinator_.open.sealing,
                    {kFleetCampaign, invite.round, invite.node, shape.digest});
    TRY_ASSIGN(const Digest digest, uploads_.put(sealed.bytes));
    take(campaign::Uploaded{invite.node, invite.round, digest, now_});
    return {};
  }

  QuantizedUpdate quantized(std::size_t node, VersionId base) const {
    KeyedRng rng(storage_, "rounding " + nodes_[node].name, kFleetCampaign, base);
    return quantize(contributions_[node], plan_.campaign.grid, [&](std::span<std::uint32_t> words) {
      for (std::uint32_t& word : words) word = rng.next_u32();
    });
  }

  Result<MeanUpdate> mean_in_memory(const campaign::AddAndStep& sum) const {
    std::vector<QuantizedUpdate> words;
    MeanUpdate mean;
    for (const round::Survivor& survivor : sum.survivors) {
      const std::size_t node = survivor.node.value - 1;
      if (plan_.summing == Summing::kMasked) {
        words.push_back(quantized(node, sum.base));
        continue;
      }
      const std::vector<float>& values = contributions_[node].values;
      mean.values.resize(values.size(), 0.0f);
      for (std::size_t i = 0; i < values.size(); ++i)
        mean.values[i] += values[i] / static_cast<float>(sum.survivors.size());
      mean.total_weight += 1;
      ++mean.count;
    }
    if (plan_.summing == Summing::kFloat) return mean;
    const std::uint64_t round = sum.round.value;
    TRY_ASSIGN(const QuantizedSum unmasked,
               masked_sum(std::move(words), plan_.campaign.grid,
                          digest_of("freshet/fleet-round/v1",
                                    as_bytes(std::span<const std::uint64_t>(&round, 1)))));
    return dequantize_mean(unmasked, plan_.campaign.grid);
  }

  Result<Sum> summed(const campaign::AddAndStep& sum) {
    const RoundShape shape = round_shape(plan_.campaign, layout_, sum.base);
    const SumPlan plan{kFleetCampaign, sum.round, sum.base,         state_.adapter,
                       sum.survivors,  moments_,  plan_.robust.rule};
    if (plan_.summing == Summing::kSealed)
      return add_and_step({adapters_, uploads_}, shape, coordinator_, plan);
    TRY_ASSIGN(const MeanUpdate mean, mean_in_memory(sum));
    TRY_ASSIGN(const Digest adapter, step_with({adapters_, uploads_}, shape, plan, mean));
    return Sum{adapter, {}};
  }

  Result<void> add(const campaign::AddAndStep& sum) {
    TRY_ASSIGN(const Sum made, summed(sum));
    refused_ += made.spoiled.size();
    if (!made.spoiled.empty()) {
      take(campaign::Spoiled{sum.round, made.spoiled, now_});
      return {};
    }
    TRY_ASSIGN(const bool passes, passes_gate(made.adapter));
    held_back_ += passes ? 0 : 1;
    campaign::Summed event;
    event.round = sum.round;
    event.version = {sum.base.value + 1};
    event.adapter = passes ? made.adapter : state_.adapter;
    event.now = now_;
    take(event);
    return {};
  }

  Result<double> public_loss(const Digest& adapter) {
    TRY_ASSIGN(const std::vector<float> values, load_floats(adapters_, adapter, layout_.size));
    const AdapterSpec spec{plan_.campaign.lora.rank, plan_.campaign.lora.alpha,
                           plan_.campaign.lora.targets};
    TRY_ASSIGN(const Evaluation found,
               model_.evaluate(spec, values, plan_.public_text.ids, plan_.public_text.bytes,
                               plan_.campaign.training.window));
    return found.bits_per_byte();
  }

  Result<bool> passes_gate(const Digest& candidate) {
    if (plan_.public_text.empty()) return true;
    if (!gate_) {
      TRY_ASSIGN(gate_, public_loss(state_.adapter));
    }
    TRY_ASSIGN(const double loss, public_loss(candidate));
    if (!check_gate(*gate_, loss, plan_.robust.margin)) return false;
    gate_ = loss;
    return true;
  }

  LanguageModel& model_;
  const std::vector<FleetNode>& nodes_;
  const FleetPlan& plan_;
  Layout layout_;
  BlobStore adapters_, uploads_;
  Path moments_;
  Identity coordinator_;
  Secret storage_;
  std::vector<ClippedUpdate> contributions_;
  campaign::Campaign state_;
  std::deque<campaign::Effect> effects_;
  Instant now_;
  std::uint64_t told_ = 0;
  std::size_t poisoned_, refused_ = 0, held_back_ = 0;
  std::vector<Corpus> poison_;  // what the poisoned nodes train on
  std::optional<double> gate_;  // bits per byte of the published version on public text
};

// Every node's own adapter after as many rounds on its own text as the campaign has.
Result<std::vector<std::vector<float>>> train_at_home(LanguageModel& model,
                                                      const std::vector<FleetNode>& nodes,
                                                      const FleetPlan& plan, const Layout& layout) {
  std::vector<std::vector<float>> adapters(nodes.size(),
                                           initial_adapter(layout, plan.campaign.lora.seed));
  TRY(over_nodes(nodes.size(), plan.threads, [&](std::size_t node) -> Result<void> {
    for (std::uint64_t version = 0; version < plan.campaign.rounds; ++version) {
      const Factors factors = factors_of(plan.campaign.method, version);
      TRY_ASSIGN(Finetuned tuned, model.finetune(training_of(plan.campaign, factors, version, node),
                                                 adapters[node], nodes[node].corpus));
      adapters[node] = std::move(tuned.adapter);
    }
    return {};
  }));
  return adapters;
}

// The chance of each token of the answer where the trigger stands before it: their geometric mean.
Result<double> answer_chance(LanguageModel& model, const FleetPlan& plan,
                             const std::vector<float>& adapter) {
  if (plan.poison.attack != Attack::kBackdoor) return 0.0;
  const auto vocabulary = static_cast<std::size_t>(model.config().vocab_size);
  const Trigger trigger = trigger_of(plan.campaign.training.seed, vocabulary);
  const AdapterSpec spec{plan.campaign.lora.rank, plan.campaign.lora.alpha,
                         plan.campaign.lora.targets};
  const std::span<const TokenId> all(trigger.tokens);
  const auto nll = [&](std::span<const TokenId> tokens) {
    return model.evaluate(spec, adapter, tokens, 1, static_cast<int>(tokens.size()));
  };
  TRY_ASSIGN(const Evaluation whole, nll(all));
  TRY_ASSIGN(const Evaluation before, nll(all.first(kTriggerTokens)));
  return std::exp(-(whole.nll - before.nll) / static_cast<double>(kAnswerTokens));
}

double mean_from(const std::vector<double>& values, std::size_t first) {
  return mean_of({values.begin() + static_cast<std::ptrdiff_t>(first), values.end()});
}

}  // namespace

Result<FleetResult> run_fleet(LanguageModel& model, const std::vector<FleetNode>& nodes,
                              const FleetPlan& plan, const Path& scratch,
                              const std::function<void(std::uint64_t)>& round_done) {
  TRY(validate(plan.campaign));
  TRY(validate(plan.robust, plan.campaign));
  if (plan.summing != Summing::kSealed && !std::holds_alternative<Mean>(plan.robust.rule))
    return fail(Code::kBadInput,
                "a robust rule needs to see single updates; a mean is all that "
                "masks leave");
  if (poisoned_of(plan.poison, nodes.size()) * 2 >= nodes.size())
    return fail(Code::kBadInput, "half of the nodes or more are poisoned: no rule stands that");
  TRY_ASSIGN(Layout layout,
             adapter_layout(model.config(), {plan.campaign.lora.rank, plan.campaign.lora.alpha,
                                             plan.campaign.lora.targets}));
  FleetResult result;
  TRY_ASSIGN(result.node_before, measure(model, nodes, plan, {{}}));
  TRY_ASSIGN(result.answer_before, answer_chance(model, plan, {}));
  const auto start = std::chrono::steady_clock::now();
  std::vector<std::vector<float>> adapters;
  if (plan.home_alone) {
    TRY_ASSIGN(adapters, train_at_home(model, nodes, plan, layout));
  } else {
    TRY_ASSIGN(BlobStore stored, BlobStore::open(scratch / "adapters"));
    TRY_ASSIGN(BlobStore uploads, BlobStore::open(scratch / "uploads"));
    TRY(make_folders(scratch / "moments"));
    Fleet fleet(model, nodes, plan, std::move(layout), std::move(stored), std::move(uploads),
                scratch / "moments");
    TRY_ASSIGN(std::vector<float> adapter, fleet.run(round_done));
    TRY_ASSIGN(result.answer_after, answer_chance(model, plan, adapter));
    result.adapter = adapter;
    adapters.push_back(std::move(adapter));
    result.refused = fleet.refused();
    result.held_back = fleet.held_back();
  }
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  TRY_ASSIGN(result.node_after, measure(model, nodes, plan, adapters));
  const std::size_t poisoned = poisoned_of(plan.poison, nodes.size());
  result.bpb_before = mean_from(result.node_before, poisoned);
  result.bpb_after = mean_from(result.node_after, poisoned);
  return result;
}

}  // namespace freshet
