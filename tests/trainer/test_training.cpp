// Training on the processor's own passes: that it learns, that it is the same however it is cut up
// or broken off, and what it refuses.

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include "base/rng.h"
#include "model/core_map.h"
#include "tests/trainer/golden_model.h"
#include "tests/trainer/random_model.h"
#include "trainer/finetune.h"
#include "trainer/training/batches.h"
#include "trainer/training/mezo.h"
#include "trainer/training/train.h"

namespace freshet {
namespace {

// Documents in which each id is followed by one of two.
TokenStream walks(int documents, std::size_t length, std::uint64_t seed) {
  TokenStream stream;
  Rng rng(seed);
  for (int d = 0; d < documents; ++d) {
    std::vector<TokenId> ids{1};
    while (ids.size() < length)
      ids.push_back(3 + (ids.back() + 7 + static_cast<TokenId>(rng.below(2))) % 200);
    stream.append(ids, {}, length);
  }
  return stream;
}

TrainPlan short_plan() {
  TrainPlan plan;
  plan.base = {.adapter = {.rank = 4, .alpha = 8, .targets = {}},
               .train_a = true,
               .train_b = true,
               .steps = 12,
               .batch = 4,
               .window = 16,
               .lr = 1e-2f,
               .seed = 3};
  return plan;
}

class TrainingOf : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Architectures, TrainingOf,
                         testing::Values("gpt2", "llama-bias-linear", "qwen3"),
                         [](const auto& one) {
                           return std::string(one.param).substr(0,
                                                                std::string(one.param).find('-'));
                         });

struct Setting {
  explicit Setting(const char* name)
      : model(name), layout(adapter_layout(model.config, short_plan().base.adapter).value()) {}
  Trained run(const TrainPlan& plan, const TokenStream& text, TrainState start = {},
              const TrainHooks& hooks = {}) const {
    if (start.adapter.empty()) start.adapter = initial_adapter(layout, 5);
    Result<Trained> trained = train(model.transformer, plan, layout, std::move(start), text, hooks);
    EXPECT_TRUE(trained) << trained.error().what;
    return std::move(*trained);
  }
  golden::Model model;
  Layout layout;
};

double worst_difference(const std::vector<float>& a, const std::vector<float>& b) {
  EXPECT_EQ(a.size(), b.size());
  double worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    worst = std::max(worst, std::fabs(double{a[i]} - b[i]));
  return worst;
}

TEST_P(TrainingOf, LearnsWithTheCoreOfBAlone) {
  const Setting setting(GetParam());
  TrainPlan plan = short_plan();
  plan.base.train_a = plan.base.train_b = false;
  plan.base.train_core = true;
  plan.base.steps = 80;
  plan.base.lr = 3e-2f;
  const std::vector<float> before = initial_adapter(setting.layout, 5);
  const Trained trained = setting.run(plan, walks(8, 100, 1));
  const std::vector<float>& losses = trained.state.losses;
  EXPECT_LT(losses.back(), losses.front() - 0.2);
  // A is as it was, and all that B gained lies in its core.
  const CoreMap core(setting.layout);
  std::vector<float> rebuilt = before;
  core.add(core.of(trained.state.adapter), rebuilt);
  EXPECT_LT(worst_difference(rebuilt, trained.state.adapter), 1e-5);
}

TEST_P(TrainingOf, LearnsWhatTheTextSays) {
  const Setting setting(GetParam());
  TrainPlan plan = short_plan();
  plan.base.steps = 80;
  const std::vector<float> losses = setting.run(plan, walks(8, 100, 1)).state.losses;
  EXPECT_LT(losses.back(), losses.front() - 1.0f);
}

TEST_P(TrainingOf, GivesTheSameAdapterInPartsAndWithActivationsMadeAgain) {
  const Setting setting(GetParam());
  const TokenStream text = walks(8, 50, 2);  // windows cross documents
  TrainPlan plan = short_plan();
  plan.base.steps = 3;
  const std::vector<float> whole = setting.run(plan, text).state.adapter;
  plan.micro_batch = 1;
  EXPECT_LT(worst_difference(whole, setting.run(plan, text).state.adapter), 2e-3);
  plan.recompute = true;
  plan.head_rows = 5;
  EXPECT_LT(worst_difference(whole, setting.run(plan, text).state.adapter), 2e-3);
}

TEST(Training, EndsWithTheSameAdapterBitForBitAfterABreak) {
  const Setting setting("qwen3");
  const TokenStream text = walks(8, 50, 2);
  for (const Order order : {Order::kWindows, Order::kShuffled, Order::kSequential})
    for (const Gradient gradient : {Gradient::kBackward, Gradient::kMezo}) {
      TrainPlan plan = short_plan();
      plan.order = order;
      plan.gradient = gradient;
      plan.mezo_seeds = gradient == Gradient::kMezo ? 5 : 0;
      plan.schedule = Schedule::kCosine;
      plan.warmup = 3;
      plan.clip = 0.5f;
      std::optional<TrainState> saved;
      TrainHooks hooks;
      hooks.save_every = 5;
      hooks.save = [&](const TrainState& state) -> Result<void> {
        if (!saved) saved = state;
        return {};
      };
      const Trained whole = setting.run(plan, text, {}, hooks);
      ASSERT_TRUE(saved);
      ASSERT_EQ(saved->step, 5);
      const Trained rest = setting.run(plan, text, *saved);
      EXPECT_EQ(whole.state.adapter, rest.state.adapter) << static_cast<int>(order);
      EXPECT_EQ(whole.state.losses, rest.state.losses);
      EXPECT_EQ(whole.state.directions, rest.state.directions);
    }
}

TEST(Training, LeavesTheFrozenFactorBitForBit) {
  const Setting setting("llama-bias-linear");
  TrainPlan plan = short_plan();
  plan.base.train_a = false;
  plan.weight_decay = 0.1f;
  const Layout frozen = phase_layout(setting.layout, true, false);
  const std::vector<float> start = initial_adapter(setting.layout, 5),
                           tuned = setting.run(plan, walks(4, 60, 1)).state.adapter;
  EXPECT_EQ(gather(setting.layout, frozen, start), gather(setting.layout, frozen, tuned));
  EXPECT_NE(start, tuned);
}

// Scores of a hundred and more, as models with large biases of q and k have: backward makes the
// probabilities again from what was kept, and they must be those that forward used.
TEST(Training, BackwardFindsTheProbabilitiesOfForwardWhereScoresAreLarge) {
  if (!kernels::multiplies_bf16()) GTEST_SKIP() << "this processor does not multiply bf16";
  ModelConfig config;
  config.vocab_size = config.hidden_size = config.intermediate_size = config.head_dim = 64;
  config.layers = config.heads = config.kv_heads = 1;
  config.max_positions = 64;
  config.tied_embeddings = true;
  const Transformer model =
      load_transformer(config, random_weights(config, Dtype::kBF16, 3, 0.9f), Precision::kBf16)
          .value();
  constexpr int kTime = 48, kDim = 64;
  const Lora none;
  const PassShape shape{1, kTime};
  Workspace work(model, none, kTime, false);
  work.rotary = make_rotary(config, kTime);
  KeptLayer kept(model, kTime, none, 0, true);
  Rng rng(2);
  std::vector<float> x(kTime * kDim), room_q(x.size()), room_k(x.size());
  for (float& value : x) value = static_cast<float>(rng.normal());
  forward_block({model, none, shape, work, 0}, x.data(), &kept);
  const float *q = kept.q.get(room_q.data()), *k = kept.k.get(room_k.data());
  double highest = 0;
  for (int t = 0; t < kTime; ++t) {
    double sum = 0;
    for (int j = 0; j <= t; ++j) {
      double score = 0;
      for (int d = 0; d < kDim; ++d) score += double{q[t * kDim + d]} * k[j * kDim + d];
      score /= 8;  // the square root of kDim
      highest = std::max(highest, std::fabs(score));
      sum += std::exp(score - kept.log_sum[static_cast<std::size_t>(t)]);
    }
    EXPECT_NEAR(sum, 1, 1e-3) << "row " << t;
  }
  EXPECT_GT(highest, 50) << "the scores are too small to show anything";
}

TEST(Training, NoWorkIsDoneBelowTheLowestAdapter) {
  const golden::Model model("llama-bias-linear");
  AdapterSpec spec = short_plan().base.adapter;
  spec.targets = {"layers.1.mlp.down_proj"};
  const Layout layout = adapter_layout(model.config, spec).value();
  ASSERT_EQ(layout.entries.size(), 2u);
  std::vector<float> values = initial_adapter(layout, 1), gradient(layout.size);
  const Lora lora(model.config, layout, values.data(), gradient.data(), true, true);
  EXPECT_EQ(lora.lowest_trained(), 1);
  TokenStream text = walks(1, 40, 1);
  TokenBatch batch = empty_batch(1, 16);
  fill_window(text, 0, 0, batch);
  Pass(model.transformer, lora, {.rows_max = 16, .train = true}).run(batch, 1.0f / 16, nullptr);
  EXPECT_TRUE(std::any_of(gradient.begin(), gradient.end(), [](float g) { return g != 0; }));
}

TEST(Training, MezoLowersTheLossAlongDirectionsThatAnyoneCanReplay) {
  const Setting setting("llama-bias-linear");
  const TokenStream text = walks(1, 65, 1);
  TrainPlan plan = short_plan();
  plan.gradient = Gradient::kMezo;
  plan.order = Order::kSequential;  // the same four windows every step
  plan.base.steps = 300;
  plan.base.lr = 1e-3f;
  plan.mezo_seeds = 256;
  const std::vector<float> start = initial_adapter(setting.layout, 5);
  const Trained trained = setting.run(plan, text);
  const std::vector<float>& losses = trained.state.losses;
  EXPECT_LT(losses.back(), losses.front() - 0.1f);
  const std::vector<float> replayed = replay_directions(setting.layout, true, true, plan.base.seed,
                                                        trained.state.directions, start);
  EXPECT_LT(worst_difference(replayed, trained.state.adapter), 1e-4);
  EXPECT_NE(replayed, start);
}

TEST(Mezo, SignsAreTheSameEverywhere) {
  Layout layout;
  layout.entries.push_back({"m", Factor::kA, 1, 300, 0});
  layout.size = 300;
  std::vector<float> moved;
  move_along(layout, true, false, 42, 7, 1.0f, std::vector<float>(300, 0.0f), moved);
  // Bit j of word i of Philox4x32-10's block n is the sign of entry 128 n + 32 i + j.
  for (std::size_t i = 0; i < moved.size(); ++i) {
    const bool plus = philox(42, 7, i / 128)[i % 128 / 32] >> (i % 32) & 1;
    EXPECT_EQ(moved[i], plus ? 1.0f : -1.0f) << i;
  }
}

TEST(Training, RefusesWhatDoesNotFit) {
  const Setting setting("qwen3");
  const TokenStream text = walks(4, 60, 1), scrap = walks(1, 10, 1);
  const auto refused = [&](const TrainPlan& plan, std::vector<float> adapter,
                           const TokenStream& from) {
    TrainState start;
    start.adapter = std::move(adapter);
    return !train(setting.model.transformer, plan, setting.layout, start, from, {}).has_value();
  };
  const std::vector<float> good = initial_adapter(setting.layout, 1);
  EXPECT_TRUE(refused(short_plan(), std::vector<float>(3), text));
  EXPECT_TRUE(refused(short_plan(), good, scrap));
  TrainPlan wide = short_plan();
  wide.base.window = setting.model.config.max_positions + 1;
  EXPECT_TRUE(refused(wide, good, walks(4, 400, 1)));
  EXPECT_TRUE(refused(short_plan(), std::vector<float>(good.size(), NAN), text));
  TokenStream silent = text;
  silent.counts.assign(silent.ids.size(), 0);
  EXPECT_TRUE(refused(short_plan(), good, silent));
  EXPECT_FALSE(refused(short_plan(), good, text));
}

TEST(Batches, NoTokenSeesAnotherDocument) {
  const TokenStream text = walks(30, 11, 4);
  for (const Order order : {Order::kWindows, Order::kShuffled}) {
    TrainPlan plan = short_plan();
    plan.order = order;
    Batches batches = Batches::make(text, plan).value();
    for (int step = 0; step < 10; ++step) {
      const TokenBatch batch = batches.next();
      ASSERT_FALSE(batch.first_seen.empty());
      for (std::size_t n = 0; n < batch.ids.size(); ++n) {
        const int place = static_cast<int>(n % static_cast<std::size_t>(batch.time)),
                  seen = batch.first_seen[n];
        ASSERT_LE(seen, place);
        EXPECT_EQ(batch.positions[n], place - seen);
        for (int t = seen + 1; t <= place;
             ++t)  // BOS begins a document: none stands between the first place seen and this one
          EXPECT_NE(batch.ids[n - static_cast<std::size_t>(place - t)], 1);
        EXPECT_NE(batch.targets[n], 1) << "the start of a document is nothing to predict";
      }
    }
  }
}

TEST(Batches, PackedDocumentsLearnAsIfEachWereAlone) {
  const golden::Model model("llama-bias-linear");
  const TokenStream text = walks(2, 9, 4);
  const Layout layout = adapter_layout(model.config, short_plan().base.adapter).value();
  std::vector<float> values = initial_adapter(layout, 1), together(layout.size), apart(layout.size);
  Rng rng(9);
  for (float& value : values) value += 0.05f * static_cast<float>(rng.normal());
  TrainPlan plan = short_plan();
  plan.order = Order::kSequential;
  plan.base.batch = 1;
  Batches batches = Batches::make(text, plan).value();
  const TokenBatch packed = batches.next();
  ASSERT_EQ(targets_of(packed), 16);  // two documents of 9 ids in a row of 16
  const Lora lora(model.config, layout, values.data(), together.data(), true, true);
  const double loss =
      Pass(model.transformer, lora, {.rows_max = 16, .train = true}).run(packed, 1, nullptr);
  const Lora single(model.config, layout, values.data(), apart.data(), true, true);
  double sum = 0;
  for (const std::size_t start : text.starts) {
    TokenBatch one = empty_batch(1, 8);
    fill_window(text, start, 0, one);
    sum += Pass(model.transformer, single, {.rows_max = 8, .train = true}).run(one, 1, nullptr);
  }
  EXPECT_NEAR(loss, sum, 1e-3);
  EXPECT_LT(worst_difference(together, apart), 1e-3);
}

TEST(Evaluate, CountsEveryTokenButTheFirst) {
  const golden::Model model("llama-bias-linear");
  for (std::size_t count : {2u, 16u, 17u, 33u, 150u, 300u}) {
    const Result<Evaluation> measured =
        evaluate(model.transformer, {}, {}, walks(1, count, 1).ids, 1, 16, {});
    ASSERT_TRUE(measured);
    EXPECT_EQ(measured->tokens, count - 1);
  }
  std::vector<std::uint8_t> counts(33, 0);
  counts[5] = counts[20] = 1;
  EXPECT_EQ(evaluate(model.transformer, {}, {}, walks(1, 33, 1).ids, 1, 16, {}, counts)->tokens,
            2u);
}

}  // namespace
}  // namespace freshet
