// How a training ends that cannot go on: nothing is moved or saved that is no number, and no memory
// is no crash.

#include <algorithm>
#include <cmath>
#include <limits>
#include <new>

#include "tests/trainer/golden_model.h"
#include "trainer/training/optimizer_state.h"
#include "trainer/training/train.h"
#include "trainer/transformer/memory.h"

namespace freshet {
namespace {

TokenStream sequence(int count) {
  TokenStream stream;
  std::vector<TokenId> ids;
  for (int i = 0; i < count; ++i) ids.push_back(3 + i % 50);
  stream.append(ids, {}, ids.size());
  return stream;
}

TrainPlan plan_of(Gradient gradient, int mezo_seeds) {
  TrainPlan plan;
  plan.base = {.adapter = {.rank = 4, .alpha = 8, .targets = {}},
               .train_a = true,
               .train_b = true,
               .steps = 8,
               .batch = 2,
               .window = 16,
               .lr = 1e-3f,
               .seed = 3};
  plan.gradient = gradient;
  plan.mezo_seeds = mezo_seeds;
  return plan;
}

bool finite(const std::vector<float>& values) {
  return std::all_of(values.begin(), values.end(),
                     [](float value) { return std::isfinite(value); });
}

// A loss that stays finite, whose gradient overflows at one step.
class Overflowing final : public LossSource {
 public:
  Overflowing(std::vector<float>& gradient, int at) : gradient_(gradient), at_(at) {}
  double run(const TokenBatch& batch, float, const TeacherRows*) override {
    std::fill(gradient_.begin(), gradient_.end(), 0.5f);
    if (++steps_ == at_) gradient_[7] = std::numeric_limits<float>::infinity();
    return static_cast<double>(batch.rows());
  }

 private:
  std::vector<float>& gradient_;
  int at_, steps_ = 0;
};

TEST(TrainingEnds, BeforeAGradientThatIsNoNumberReachesTheAdapterOrWhatIsSaved) {
  const golden::Model model("qwen3");
  for (const Optimizer optimizer : {Optimizer::kAdamW, Optimizer::kSgd}) {
    TrainPlan plan = plan_of(Gradient::kBackward, 0);
    plan.optimizer = optimizer;
    const Layout layout = adapter_layout(model.config, plan.base.adapter).value();
    TrainHooks hooks;
    int saved = 0;
    hooks.save_every = 1;
    hooks.save = [&](const TrainState& state) -> Result<void> {
      saved = state.step;
      EXPECT_TRUE(finite(state.adapter) && finite(state.first) && finite(state.second));
      return {};
    };
    hooks.source = [](const Layout&, const std::vector<float>&,
                      std::vector<float>& gradient) -> Result<std::unique_ptr<LossSource>> {
      return std::make_unique<Overflowing>(gradient, 4);
    };
    TrainState start;
    start.adapter = initial_adapter(layout, 1);
    const Result<Trained> trained =
        train(model.transformer, plan, layout, std::move(start), sequence(200), hooks);
    ASSERT_FALSE(trained);
    EXPECT_EQ(trained.error().code, Code::kBadInput);
    EXPECT_NE(
        trained.error().what.find("the gradient is no number at step 4: lower the learning rate"),
        std::string::npos)
        << trained.error().what;
    EXPECT_EQ(saved, 3);
  }
}

TEST(TrainingEnds, AnOptimizerChangesNothingByAGradientThatIsNoNumber) {
  Layout layout;
  layout.entries.push_back({"m", Factor::kA, 1, 40, 0});
  layout.size = 40;
  OptimizerState optimizer(layout, plan_of(Gradient::kBackward, 0));
  std::vector<float> gradient(40, 0.1f), values(40, 1.0f);
  gradient[11] = NAN;
  EXPECT_FALSE(std::isfinite(optimizer.step(0.1f, gradient, values)));
  EXPECT_EQ(values, std::vector<float>(40, 1.0f));
  EXPECT_EQ(optimizer.first, std::vector<float>(40, 0.0f));
  EXPECT_EQ(optimizer.steps, 0);
}

TEST(TrainingEnds, AStateWithoutTheFactorsOfItsDirectionsIsRefused) {
  const golden::Model model("qwen3");
  const auto goes_on = [&](const TrainPlan& plan, std::size_t directions) {
    const Layout layout = adapter_layout(model.config, plan.base.adapter).value();
    TrainState start;
    start.step = 7;
    start.adapter = initial_adapter(layout, 1);
    start.directions.assign(directions, 0.0);
    return train(model.transformer, plan, layout, std::move(start), sequence(200), {}).has_value();
  };
  EXPECT_TRUE(goes_on(plan_of(Gradient::kMezo, 5), 5));
  EXPECT_FALSE(goes_on(plan_of(Gradient::kMezo, 5), 0));
  EXPECT_FALSE(goes_on(plan_of(Gradient::kMezo, 5), 2));
  EXPECT_FALSE(goes_on(plan_of(Gradient::kMezo, 0), 5));
}

TEST(Memory, ThatThereIsNotIsSaidByAnException) {
  for (const std::size_t count : {std::size_t{1} << 57, std::size_t{1} << 62, SIZE_MAX})
    EXPECT_THROW(Memory<float> memory(count), std::bad_alloc);
  Room<float> room;
  EXPECT_THROW(room.of(std::size_t{1} << 57), std::bad_alloc);
  room.of(10)[9] = 1;
}

}  // namespace
}  // namespace freshet
