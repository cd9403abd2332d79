#include "simulations/learning/fleet.h"

#include <atomic>
#include <chrono>
#include <deque>
#include <thread>

#include "aggregation/clip.h"
#include "base/limits.h"
#include "coordinator/summing.h"
#include "crypto/keyed_rng.h"
#include "trainer/threads.h"

namespace freshet {
namespace {

constexpr CampaignId kCampaign{1};

// Calls work(i) for i in [0, count) on `threads` threads, each computing on one.
template <class Work>
Result<void> over_nodes(std::size_t count, int threads, const Work& work) {
  std::atomic<std::size_t> next = 0;
  std::vector<Result<void>> outcomes(count);
  auto loop = [&] {
    set_threads(1);
    for (std::size_t i = next++; i < count; i = next++) outcomes[i] = work(i);
  };
  std::vector<std::thread> pool;
  for (int t = 1; t < threads; ++t) pool.emplace_back(loop);
  loop();
  for (std::thread& thread : pool) thread.join();
  for (Result<void>& outcome : outcomes) TRY(std::move(outcome));
  return {};
}

FinetunePlan training_of(const CampaignPlan& plan, Factors factors, std::uint64_t version,
                         std::size_t node) {
  const LocalTraining& local = plan.training;
  return {.adapter = {plan.lora.rank, plan.lora.alpha, plan.lora.targets},
          .train_a = factors.a,
          .train_b = factors.b,
          .steps = local.steps,
          .batch = local.batch,
          .window = local.window,
          .lr = local.lr,
          .seed = local.seed + version * limits::kCohortMax + node};
}

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
        contributions_(nodes.size()) {}

  Result<std::vector<float>> run(const std::function<void(std::uint64_t)>& round_done) {
    TRY_ASSIGN(const Digest first,
               store_floats(adapters_, initial_adapter(layout_, plan_.campaign.lora.seed)));
    state_ = campaign::begin(kCampaign, campaign::rules_of(plan_.campaign), first, now_);
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
    const Factors factors = factors_of(plan_.campaign.method, version);
    const Layout phase = phase_layout(layout_, factors.a, factors.b);
    TRY(over_nodes(to_train.size(), plan_.threads, [&](std::size_t i) -> Result<void> {
      const std::size_t node = to_train[i];
      TRY_ASSIGN(const Finetuned tuned,
                 model_.finetune(training_of(plan_.campaign, factors, version, node), adapter,
                                 nodes_[node].corpus));
      Update update{gather(layout_, phase, tuned.adapter), 1};
      const std::vector<float> before = gather(layout_, phase, adapter);
      for (std::size_t at = 0; at < before.size(); ++at) update.values[at] -= before[at];
      TRY_ASSIGN(Clipped clipped, clip(std::move(update), plan_.campaign.clip));
      contributions_[node] = std::move(clipped.update);
      return {};
    }));
    for (std::size_t node : to_train) take(campaign::Ready{id_of(node), {version}, now_});
    return {};
  }

  Result<void> upload(const campaign::SendInvite& invite) {
    const std::size_t node = invite.node.value - 1;
    const RoundShape shape = round_shape(plan_.campaign, layout_, invite.base);
    KeyedRng rng(storage_, "rounding " + nodes_[node].name, kCampaign, invite.base);
    const QuantizedUpdate quantized =
        quantize(contributions_[node], plan_.campaign.grid, [&](std::span<std::uint32_t> words) {
          for (std::uint32_t& word : words) word = rng.next_u32();
        });
    const SealedUpdate sealed =
        seal_update(quantized, plan_.campaign.grid, coordinator_.open.sealing,
                    {kCampaign, invite.round, invite.node, shape.digest});
    TRY_ASSIGN(const Digest digest, uploads_.put(sealed.bytes));
    take(campaign::Uploaded{invite.node, invite.round, digest, now_});
    return {};
  }

  Result<void> add(const campaign::AddAndStep& sum) {
    const RoundShape shape = round_shape(plan_.campaign, layout_, sum.base);
    TRY_ASSIGN(const Sum made, add_and_step({adapters_, uploads_}, shape, coordinator_,
                                            {kCampaign, sum.round, sum.base, state_.adapter,
                                             sum.survivors, moments_}));
    if (!made.spoiled.empty())
      take(campaign::Spoiled{sum.round, made.spoiled, now_});
    else
      take(campaign::Summed{sum.round, {sum.base.value + 1}, made.adapter, now_});
    return {};
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

Result<std::vector<double>> measure(LanguageModel& model, const std::vector<FleetNode>& nodes,
                                    const FleetPlan& plan,
                                    const std::vector<std::vector<float>>& adapters) {
  std::vector<double> found(nodes.size());
  const AdapterSpec spec{plan.campaign.lora.rank, plan.campaign.lora.alpha,
                         plan.campaign.lora.targets};
  TRY(over_nodes(nodes.size(), plan.threads, [&](std::size_t node) -> Result<void> {
    const Corpus& corpus = nodes[node].corpus;
    TRY_ASSIGN(const Evaluation measured,
               model.evaluate(spec, adapters[adapters.size() == 1 ? 0 : node], corpus.heldout.ids,
                              corpus.heldout.bytes, plan.campaign.training.window));
    found[node] = measured.bits_per_byte();
    return {};
  }));
  return found;
}

double mean_of(const std::vector<double>& values) {
  double sum = 0;
  for (double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

}  // namespace

Result<FleetResult> run_fleet(LanguageModel& model, const std::vector<FleetNode>& nodes,
                              const FleetPlan& plan, const Path& scratch,
                              const std::function<void(std::uint64_t)>& round_done) {
  TRY(validate(plan.campaign));
  TRY_ASSIGN(Layout layout,
             adapter_layout(model.config(), {plan.campaign.lora.rank, plan.campaign.lora.alpha,
                                             plan.campaign.lora.targets}));
  FleetResult result;
  TRY_ASSIGN(result.node_before, measure(model, nodes, plan, {{}}));
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
    adapters.push_back(std::move(adapter));
  }
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  TRY_ASSIGN(result.node_after, measure(model, nodes, plan, adapters));
  result.bpb_before = mean_of(result.node_before);
  result.bpb_after = mean_of(result.node_after);
  return result;
}

}  // namespace freshet
