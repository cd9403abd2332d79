#include "simulations/adapt/direct.h"

#include <algorithm>

#include "trainer/finetune.h"
#include "trainer/training/train.h"

namespace freshet {
namespace {

constexpr double kKeptBack = 0.04;

struct Look {
  double nll = 1e300;
  int step = 0;
  std::vector<float> adapter;
};

Result<Look> tune_at(const Transformer& model, const DirectPlan& plan, float rate,
                     const Layout& layout, const TokenStream& text, const TokenStream& kept) {
  TrainPlan training;
  training.base = {.adapter = plan.adapter,
                   .train_a = true,
                   .train_b = true,
                   .steps = plan.steps,
                   .batch = plan.batch,
                   .window = plan.window,
                   .lr = rate,
                   .seed = plan.seed};
  training.schedule = Schedule::kCosine;
  training.warmup = std::min(20, plan.steps / 10);
  training.clip = 1;
  Look best;
  const auto look = [&](const TrainState& state) -> Result<void> {
    TRY_ASSIGN(const Evaluation found,
               evaluate(model, plan.adapter, state.adapter, kept.ids, kept.bytes, plan.window, {}));
    if (found.nll < best.nll) best = {found.nll, state.step, state.adapter};
    return {};
  };
  TrainHooks hooks;
  hooks.save_every = plan.look_every;
  hooks.save = look;
  TrainState start;
  start.adapter = initial_adapter(layout, plan.seed);
  TRY_ASSIGN(const Trained trained, train(model, training, layout, std::move(start), text, hooks));
  TRY(look(trained.state));
  return best;
}

}  // namespace

TokenStream pool(const std::vector<FleetNode>& nodes, double kept_back, TokenStream& kept) {
  TokenStream all;
  for (const FleetNode& node : nodes) {
    const TokenStream& text = node.corpus.train;
    for (std::size_t d = 0; d < text.starts.size(); ++d) {
      const auto document =
          std::span(text.ids).subspan(text.starts[d], text.end_of(d) - text.starts[d]);
      const auto last = static_cast<std::size_t>(static_cast<double>(document.size()) * kept_back);
      all.append(document.first(document.size() - last), {}, 0);
      kept.append(document.last(last), {}, 0);
    }
  }
  kept.bytes = kept.ids.size();  // compared with itself alone
  return all;
}

Result<Direct> tune_directly(const AdaptPair& pair, const Transformer& model,
                             const DirectPlan& plan) {
  TRY_ASSIGN(const Layout layout, adapter_layout(model.config, plan.adapter));
  TokenStream kept;
  const TokenStream text = pool(pair.nodes, kKeptBack, kept);
  const auto begun = std::chrono::steady_clock::now();
  Direct best;
  double nll = 1e300;
  for (const float rate : plan.rates) {
    TRY_ASSIGN(Look look, tune_at(model, plan, rate, layout, text, kept));
    if (look.nll >= nll) continue;
    nll = look.nll;
    best = {std::move(look.adapter), rate, look.step, look.step == plan.steps, false, 0};
  }
  const auto [low, high] = std::minmax_element(plan.rates.begin(), plan.rates.end());
  best.at_an_edge = plan.rates.size() > 1 && (best.rate == *low || best.rate == *high);
  best.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  return best;
}

}  // namespace freshet
