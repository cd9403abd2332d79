// The memory of a training is said before it starts, and kept.

#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "tests/trainer/random_model.h"
#include "trainer/finetune.h"
#include "trainer/training/memory_plan.h"
#include "trainer/training/train.h"

namespace freshet {
namespace {

ModelConfig shape(Architecture architecture) {
  ModelConfig config;
  config.architecture = architecture;
  config.vocab_size = 6000;
  config.hidden_size = 192;
  config.intermediate_size = architecture == Architecture::kGpt2 ? 768 : 512;
  config.layers = 8;
  config.heads = 6;
  config.kv_heads = architecture == Architecture::kGpt2 ? 6 : 2;
  config.head_dim = 32;
  config.max_positions = 512;
  config.tied_embeddings = true;
  if (architecture == Architecture::kGpt2)
    config.qkv_bias = config.output_bias = config.mlp_bias = true;
  return config;
}

TrainPlan plan_of(int batch, int window) {
  TrainPlan plan;
  plan.base = {.adapter = {.rank = 8, .alpha = 16, .targets = {}},
               .train_a = true,
               .train_b = true,
               .steps = 1,
               .batch = batch,
               .window = window};
  return plan;
}

// The highest resident size since reset_peak(), which the kernel keeps.
std::uint64_t peak_bytes() {
  std::ifstream status("/proc/self/status");
  std::string word;
  while (status >> word)
    if (word == "VmHWM:") {
      std::uint64_t kilobytes = 0;
      status >> kilobytes;
      return kilobytes * 1024;
    }
  return 0;
}
bool reset_peak() {
  return static_cast<bool>(std::ofstream("/proc/self/clear_refs") << 5 << std::flush);
}

struct Case {
  Architecture architecture;
  Precision precision;
  int batch, window, micro;
  bool recompute;
  Gradient gradient;
};

TEST(MemoryPlan, PredictsTheHighestResidentSizeWithinFifteenInAHundred) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "the sanitizer's own memory counts too";
#endif
  if (!reset_peak()) GTEST_SKIP() << "this system does not let a process reset its peak";
  const Case cases[] = {
      {Architecture::kLlama, Precision::kBf16, 8, 256, 0, false, Gradient::kBackward},
      {Architecture::kLlama, Precision::kF32, 8, 256, 2, false, Gradient::kBackward},
      {Architecture::kLlama, Precision::kBf16, 8, 256, 0, true, Gradient::kBackward},
      {Architecture::kLlama, Precision::kNf4, 8, 256, 4, false, Gradient::kBackward},
      {Architecture::kGpt2, Precision::kBf16, 8, 256, 0, false, Gradient::kBackward},
      {Architecture::kLlama, Precision::kBf16, 8, 256, 0, false, Gradient::kMezo},
  };
  for (const Case& one : cases) {
    const ModelConfig config = shape(one.architecture);
    auto weights = random_weights(config, Dtype::kBF16, 3);
    TrainPlan plan = plan_of(one.batch, one.window);
    plan.micro_batch = one.micro;
    plan.recompute = one.recompute;
    plan.gradient = one.gradient;
    const Layout layout = adapter_layout(config, plan.base.adapter).value();
    TokenStream text;
    Rng rng(5);
    std::vector<TokenId> ids(9000);
    for (TokenId& id : ids) id = static_cast<TokenId>(rng.below(6000));
    text.append(ids, {}, ids.size());
    ASSERT_TRUE(reset_peak());
    const MemoryAsk ask{config, one.precision,    true,
                        plan,   layout,           2,
                        0,      resident_bytes(), one.precision == Precision::kBf16};
    const std::uint64_t predicted = predicted_bytes(ask, one.precision, plan);
    {
      const Transformer model = load_transformer(config, weights, one.precision).value();
      TrainState start;
      start.adapter = initial_adapter(layout, 1);
      ASSERT_TRUE(train(model, plan, layout, std::move(start), text, {}));
    }
    const std::uint64_t peak = peak_bytes();
    const double ratio = static_cast<double>(predicted) / static_cast<double>(peak);
    EXPECT_LT(ratio, 1.15) << static_cast<int>(one.precision) << " recompute " << one.recompute
                           << " peak " << peak;
    EXPECT_GT(ratio, 0.95) << static_cast<int>(one.precision) << " recompute " << one.recompute
                           << " peak " << peak;
  }
}

TokenStream random_text(std::size_t count) {
  TokenStream text;
  Rng rng(5);
  std::vector<TokenId> ids(count);
  for (TokenId& id : ids) id = static_cast<TokenId>(rng.below(6000));
  text.append(ids, {}, ids.size());
  return text;
}

bool measures_memory() {
#if defined(__SANITIZE_ADDRESS__)
  return false;  // the sanitizer's own memory counts too
#else
  return reset_peak();
#endif
}

// The highest resident size of `work`.
template <class Work>
std::uint64_t peak_of(const Work& work) {
  EXPECT_TRUE(reset_peak());
  work();
  return peak_bytes();
}

TEST(MemoryPlan, MeasuringTakesNoMoreThanTheTrainingWasSaidToTake) {
  if (!measures_memory()) GTEST_SKIP() << "no peak to be measured here";
  const ModelConfig config = shape(Architecture::kLlama);
  TrainPlan plan = plan_of(8, 256);
  plan.micro_batch = 1;
  plan.recompute = true;
  plan.head_rows = 16;
  const Layout layout = adapter_layout(config, plan.base.adapter).value();
  const Transformer model =
      load_transformer(config, random_weights(config, Dtype::kBF16, 3), Precision::kBf16).value();
  const TokenStream text = random_text(2100);
  const std::vector<float> adapter = initial_adapter(layout, 1);
  const MemoryAsk ask{config, Precision::kBf16, true, plan, layout, 2, 0, resident_bytes(), true};
  const std::uint64_t predicted = predicted_bytes(ask, Precision::kBf16, plan);
  const auto measure = [&](const EvaluationRoom& room) {
    return peak_of([&] {
      ASSERT_TRUE(
          evaluate(model, plan.base.adapter, adapter, text.ids, text.bytes, 256, {}, {}, room));
    });
  };
  EXPECT_LE(measure(room_of(plan)), predicted);
  EXPECT_GT(measure({}), predicted);
}

TEST(MemoryPlan, CountsTheFilesOwnBytesWhileItIsLoaded) {
  if (!measures_memory()) GTEST_SKIP() << "no peak to be measured here";
  ModelConfig config = shape(Architecture::kLlama);
  config.vocab_size = 60'000;
  config.layers = 1;
  const TrainPlan plan = plan_of(1, 8);
  const Layout layout = adapter_layout(config, plan.base.adapter).value();
  const auto weights = random_weights(config, Dtype::kF32, 3);
  const MemoryAsk ask{config, Precision::kBf16, true,  plan, layout, 2,
                      0,      resident_bytes(), false, 4};
  const std::uint64_t predicted = predicted_bytes(ask, Precision::kBf16, plan);
  const std::uint64_t peak =
      peak_of([&] { ASSERT_TRUE(load_transformer(config, weights, Precision::kBf16)); });
  EXPECT_GE(predicted, peak);
  EXPECT_LT(static_cast<double>(predicted),
            1.25 * static_cast<double>(peak));  // the pass is counted, which comes later
}

TEST(MemoryPlan, ACampaignsBatchIsCutIntoPassesThatFit) {
  if (!measures_memory()) GTEST_SKIP() << "no peak to be measured here";
  ModelConfig config = shape(Architecture::kLlama);
  config.layers = 2;
  TrainPlan plan = plan_of(96, 128);
  const Layout layout = adapter_layout(config, plan.base.adapter).value();
  const Transformer model =
      load_transformer(config, random_weights(config, Dtype::kBF16, 3), Precision::kBf16).value();
  const MemoryAsk ask{config, Precision::kBf16, true, plan, layout, 2, 0, resident_bytes(), true};
  const std::uint64_t whole = predicted_bytes(ask, Precision::kBf16, plan);
  plan.micro_batch = 32;
  const std::uint64_t parts = predicted_bytes(ask, Precision::kBf16, plan);
  const TokenStream text = random_text(20'000);
  const std::uint64_t peak =
      peak_of([&] { ASSERT_TRUE(finetune(model, plan.base, {}, text, {})); });
  EXPECT_LT(static_cast<double>(peak), 1.1 * static_cast<double>(parts));
  EXPECT_LT(static_cast<double>(peak), 0.7 * static_cast<double>(whole));
}

TEST(MemoryPlan, GivesUpTimeBeforeBitsAndSaysSo) {
  const ModelConfig config = shape(Architecture::kLlama);
  const TrainPlan plan = plan_of(8, 256);
  const Layout layout = adapter_layout(config, plan.base.adapter).value();
  MemoryAsk ask{config, Precision::kBf16, false, plan, layout, 2, 0, 20'000'000, true};
  const MemoryChoice free = choose_memory(ask).value();
  EXPECT_EQ(free.plan.micro_batch, 8);
  EXPECT_FALSE(free.plan.recompute);
  EXPECT_EQ(free.why, "");
  std::uint64_t limit = free.predicted_bytes;
  int stage = 0;  // 0: whole, 1: smaller passes, 2: recomputed, 3: fewer bits
  for (;;) {
    ask.bytes_max = --limit;
    const Result<MemoryChoice> next = choose_memory(ask);
    if (!next) {
      EXPECT_NE(next.error().what.find("the smallest needs"), std::string::npos);
      break;
    }
    EXPECT_LE(next->predicted_bytes, limit);
    const int now = next->precision != Precision::kBf16 ? 3
                    : next->plan.recompute              ? 2
                    : next->plan.micro_batch < 8        ? 1
                                                        : 0;
    EXPECT_GE(now, stage);
    stage = now;
    limit = next->predicted_bytes;
  }
  EXPECT_EQ(stage, 3);
}

TEST(MemoryPlan, KeepsWhatAPersonFixed) {
  const ModelConfig config = shape(Architecture::kLlama);
  TrainPlan plan = plan_of(8, 256);
  plan.micro_batch = 4;
  const Layout layout = adapter_layout(config, plan.base.adapter).value();
  MemoryAsk ask{config, Precision::kF32, true, plan, layout, 2, 0, 0, true};
  const std::uint64_t whole = choose_memory(ask)->predicted_bytes;
  ask.bytes_max = whole / 3;
  const Result<MemoryChoice> tight = choose_memory(ask);
  if (tight) {
    EXPECT_EQ(tight->precision, Precision::kF32);
    EXPECT_EQ(tight->plan.micro_batch, 4);
  }
  ask.bytes_max = 1'000'000;
  EXPECT_FALSE(choose_memory(ask));
}

}  // namespace
}  // namespace freshet
