#include "trainer/training/train.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>

#include "base/check.h"
#include "model/core_map.h"
#include "trainer/training/batches.h"
#include "trainer/training/examples.h"
#include "trainer/training/mezo.h"
#include "trainer/training/optimizer_state.h"
#include "trainer/training/private_gradient.h"

namespace freshet {
namespace {

constexpr std::uint64_t kDirectionStream = 0x6d657a;  // of the generator that picks directions

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// One training as it goes: the adapter, its gradient, and what losses come from.
class Training {
 public:
  Training(const Transformer& model, const TrainPlan& plan, const Layout& layout, TrainState& state)
      : model_(model),
        plan_(plan),
        layout_(layout),
        state_(state),
        core_(plan.base.train_core ? std::optional<CoreMap>(layout) : std::nullopt),
        optimizer_(core_ ? core_->layout() : layout, plan),
        directions_(plan.base.seed, kDirectionStream) {
    values_ = state.adapter;
    if (core_) core_values_ = core_->of(values_);
    if (plan.dp.on())
      private_.emplace(layout, plan.base.train_a, plan.base.train_b, plan.dp.clip,
                       plan.dp.multiplier);
    const bool backward = plan.gradient == Gradient::kBackward;
    if (backward) gradient_.assign(layout.size, 0.0f);
    if (state.step > 0 && backward) {
      optimizer_.steps = state.step;
      optimizer_.first = state.first;
      optimizer_.second = state.second;
    }
    for (int i = 0; i < state.step; ++i) direction_of(i);
    if (plan.mezo_seeds > 0 && state.step == 0)
      state.directions.assign(static_cast<std::size_t>(plan.mezo_seeds), 0.0);
  }

  Result<void> open(const TrainHooks& hooks) {
    if (hooks.source) {
      TRY_ASSIGN(source_, hooks.source(layout_, values_, gradient_));
      return {};
    }
    const bool backward = plan_.gradient == Gradient::kBackward;
    lora_ = Lora(model_.config, layout_, values_.data(), backward ? gradient_.data() : nullptr,
                 plan_.base.train_a, plan_.base.train_b || core_);
    const std::int64_t rows = std::int64_t{part()} * plan_.base.window;
    source_ = std::make_unique<Pass>(model_, lora_,
                                     PassPlan{rows, plan_.head_rows, backward, plan_.recompute});
    return {};
  }

  // The mean loss before the step. An error leaves the adapter as it was, but for MeZO's, whose
  // state stays.
  Result<float> step(const TokenBatch& batch) {
    const float rate = rate_at(plan_, state_.step);
    TRY_ASSIGN(const float loss, plan_.gradient == Gradient::kBackward ? backward_step(batch, rate)
                                                                       : mezo_step(batch, rate));
    ++state_.step;
    state_.losses.push_back(loss);
    return loss;
  }

  // One of DP-SGD: nothing of an example leaves it but by its clipped gradient. What comes back is
  // the mean loss of those that were drawn; of none, the loss before.
  Result<float> private_step(const TokenStream& text, const std::vector<Piece>& examples,
                             const TrainHooks& hooks) {
    const double expected = static_cast<double>(plan_.base.batch) * plan_.accumulate;
    const double rate = expected / static_cast<double>(examples.size());
    PrivateGradient& sum = *private_;
    sum.clear();
    double loss = 0, targets = 0;
    const int step = state_.step;
    for (const std::size_t i :
         draw_examples(*hooks.dp_key, hooks.dp_training, step, examples.size(), rate)) {
      const TokenBatch batch = example_batch(text, examples[i]);
      const auto count = static_cast<double>(targets_of(batch));
      std::fill(gradient_.begin(), gradient_.end(), 0.0f);
      loss += source_->run(batch, static_cast<float>(1 / count), nullptr);
      targets += count;
      if (!std::isfinite(loss)) return no_number("the loss");
      if (!std::isfinite(sum.add(gradient_))) return no_number("the gradient");
    }
    KeyedRng noise =
        rng_of_step(*hooks.dp_key, "freshet/example-noise/v1", hooks.dp_training, step);
    sum.release(noise, expected, gradient_);
    if (!std::isfinite(optimizer_.step(rate_at(plan_, step), gradient_, values_)))
      return no_number("the gradient");
    ++state_.step;
    const float before = state_.losses.empty() ? 0.0f : state_.losses.back();
    state_.losses.push_back(targets > 0 ? static_cast<float>(loss / targets) : before);
    return state_.losses.back();
  }

  // Brings the state up to date.
  void settle() {
    state_.first = optimizer_.first;
    state_.second = optimizer_.second;
    if (plan_.gradient == Gradient::kBackward) state_.adapter = values_;
  }

 private:
  int part() const {
    return plan_.micro_batch > 0 ? std::min(plan_.micro_batch, plan_.base.batch) : plan_.base.batch;
  }

  double loss_of(const TokenBatch& batch, float factor) {
    double sum = 0;
    for (int first = 0; first < batch.sequences; first += part())
      sum += source_->run(part_of(batch, first, std::min(part(), batch.sequences - first)), factor,
                          nullptr);
    return sum;
  }

  tl::unexpected<Error> no_number(const std::string& what) const {
    return fail(Code::kBadInput, what + " is no number at step " + std::to_string(state_.step + 1) +
                                     ": lower the learning rate");
  }

  Result<float> backward_step(const TokenBatch& batch, float rate) {
    const auto count = static_cast<double>(std::max<std::int64_t>(1, targets_of(batch)));
    std::fill(gradient_.begin(), gradient_.end(), 0.0f);
    const double sum = loss_of(batch, static_cast<float>(1 / count));
    if (!std::isfinite(sum)) return no_number("the loss");
    if (!std::isfinite(core_ ? core_step(rate) : optimizer_.step(rate, gradient_, values_)))
      return no_number("the gradient");
    return static_cast<float>(sum / count);
  }

  // dL/dR = O^T dL/dB; then B follows its core.
  double core_step(float rate) {
    std::vector<float> gradient = core_->of(gradient_), moved = core_values_;
    const double norm = optimizer_.step(rate, gradient, core_values_);
    for (std::size_t i = 0; i < moved.size(); ++i) moved[i] = core_values_[i] - moved[i];
    core_->add(moved, values_);
    return norm;
  }

  std::uint64_t direction_of(int step) {
    return plan_.mezo_seeds > 0 ? directions_.below(static_cast<std::uint64_t>(plan_.mezo_seeds))
                                : static_cast<std::uint64_t>(step);
  }

  Result<float> mezo_step(const TokenBatch& batch, float rate) {
    const auto count = static_cast<double>(std::max<std::int64_t>(1, targets_of(batch)));
    const std::uint64_t direction = direction_of(state_.step);
    const auto along = [&](float factor) {
      move_along(layout_, plan_.base.train_a, plan_.base.train_b, plan_.base.seed, direction,
                 factor, state_.adapter, values_);
    };
    along(plan_.mezo_step);
    const double plus = loss_of(batch, 0) / count;
    along(-plan_.mezo_step);
    const double minus = loss_of(batch, 0) / count;
    if (!std::isfinite(plus) || !std::isfinite(minus)) return no_number("the loss");
    const double slope = (plus - minus) / (2.0 * static_cast<double>(plan_.mezo_step));
    along(static_cast<float>(-static_cast<double>(rate) * slope));
    state_.adapter = values_;
    if (plan_.mezo_seeds > 0) state_.directions[direction] -= static_cast<double>(rate) * slope;
    return static_cast<float>((plus + minus) / 2);
  }

  const Transformer& model_;
  const TrainPlan& plan_;
  const Layout& layout_;
  TrainState& state_;
  std::vector<float> values_, gradient_;
  std::optional<CoreMap> core_;
  std::vector<float> core_values_;
  OptimizerState optimizer_;
  std::optional<PrivateGradient> private_;
  Rng directions_;
  Lora lora_;
  std::unique_ptr<LossSource> source_;
};

Result<void> check_start(const TrainPlan& plan, const Layout& layout, const TrainState& start) {
  if (plan.base.train_core && plan.gradient != Gradient::kBackward)
    return fail(Code::kBadInput, "the core of an adapter is trained by backward passes alone");
  if (plan.dp.on() && (plan.gradient != Gradient::kBackward || plan.base.train_core))
    return fail(Code::kBadInput,
                "privacy of examples needs backward passes, and factors that are trained whole");
  const bool adamw = plan.gradient == Gradient::kBackward && plan.optimizer == Optimizer::kAdamW;
  const bool core = start.step > 0 && plan.base.train_core;
  const std::size_t entries = core ? CoreMap(layout).layout().size : layout.size;
  const std::size_t moments = start.step > 0 && adamw ? entries : 0;
  if (start.adapter.size() != layout.size)
    return fail(Code::kBadInput, "the adapter has " + std::to_string(start.adapter.size()) +
                                     " values, but this model at this rank needs " +
                                     std::to_string(layout.size));
  const std::size_t directions =
      plan.gradient == Gradient::kMezo ? static_cast<std::size_t>(plan.mezo_seeds) : 0;
  const bool of_this = start.first.size() == moments && start.second.size() == moments &&
                       start.directions.size() == directions;
  if (start.step < 0 || start.step > plan.base.steps || (start.step > 0 && !of_this))
    return fail(Code::kBadInput, "the saved state is not of this training; start without --resume");
  return {};
}

Result<void> check_examples(const TrainPlan& plan, std::size_t examples) {
  const auto batch =
      static_cast<std::size_t>(plan.base.batch) * static_cast<std::size_t>(plan.accumulate);
  if (batch <= examples) return {};
  return fail(Code::kBadInput, "a batch of " + std::to_string(batch) +
                                   " examples on average, but "
                                   "the text has " +
                                   std::to_string(examples) +
                                   ": give more text, shorter windows or a smaller batch");
}

std::int64_t inputs_of(const TokenBatch& batch) {
  std::int64_t count = 0;
  for (std::size_t n = 0; n < batch.ids.size(); ++n)
    count += batch.targets[n] >= 0 || batch.positions.empty() || batch.positions[n] > 0;
  return count;
}

}  // namespace

Result<Trained> train(const Transformer& model, const TrainPlan& plan, const Layout& layout,
                      TrainState start, const TokenStream& text, const TrainHooks& hooks) {
  TRY(check_start(plan, layout, start));
  if (plan.base.window > model.config.max_positions)
    return fail(Code::kBadInput, "a window of " + std::to_string(plan.base.window) +
                                     " tokens is longer than the model's " +
                                     std::to_string(model.config.max_positions) + " positions");
  TRY_ASSIGN(Batches batches, Batches::make(text, plan));
  std::vector<Piece> examples;
  if (plan.dp.on()) {
    CHECK(hooks.dp_key != nullptr, "privacy of examples without a key");
    examples = examples_of(text, plan.base.window);
    TRY(check_examples(plan, examples.size()));
  }
  const auto begun = std::chrono::steady_clock::now();
  Trained result;
  result.state = std::move(start);
  TrainState& state = result.state;
  batches.skip(state.step);
  Training training(model, plan, layout, state);
  TRY(training.open(hooks));
  while (state.step < plan.base.steps) {
    float loss = 0;
    if (plan.dp.on()) {
      TRY_ASSIGN(loss, training.private_step(text, examples, hooks));
      result.tokens += std::int64_t{plan.base.batch} * plan.accumulate * plan.base.window;
    } else {
      const TokenBatch batch = batches.next();
      TRY_ASSIGN(loss, training.step(batch));
      result.tokens += inputs_of(batch);
    }
    if (result.first_step_seconds == 0) result.first_step_seconds = seconds_since(begun);
    if (hooks.step_done) hooks.step_done(state.step, plan.base.steps, loss);
    const bool due = (hooks.save_every > 0 && state.step % hooks.save_every == 0) ||
                     (hooks.save_now && hooks.save_now());
    if (!due || state.step == plan.base.steps) continue;
    training.settle();
    TRY(hooks.save(state));
  }
  training.settle();
  result.seconds = seconds_since(begun);
  return result;
}

}  // namespace freshet
