#include "simulations/learning/node_work.h"

#include <atomic>
#include <thread>

#include "base/limits.h"
#include "trainer/threads.h"

namespace freshet {

Result<void> over_nodes(std::size_t count, int threads,
                        const std::function<Result<void>(std::size_t)>& work) {
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
          .train_core = factors.core,
          .steps = local.steps,
          .batch = local.batch,
          .window = local.window,
          .lr = local.lr,
          .seed = local.seed + version * limits::kCohortMax + node};
}

Result<Update> train_node(LanguageModel& model, const CampaignPlan& plan, const Layout& whole,
                          const std::vector<float>& adapter, std::uint64_t version,
                          std::size_t node, const Corpus& corpus) {
  const Factors factors = factors_of(plan.method, version);
  const Layout phase = phase_layout(whole, factors.a, factors.b, factors.core);
  TRY_ASSIGN(const Finetuned tuned,
             model.finetune(training_of(plan, factors, version, node), adapter, corpus));
  Update update{gather(whole, phase, tuned.adapter), 1};
  const std::vector<float> before = gather(whole, phase, adapter);
  for (std::size_t at = 0; at < before.size(); ++at) update.values[at] -= before[at];
  return update;
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

}  // namespace freshet
