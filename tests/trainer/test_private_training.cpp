// Training with privacy of every example: what one of them can change, how much noise there is, who
// is drawn, and that it learns all the same.

#include <cmath>
#include <numeric>

#include "aggregation/privacy/calibration.h"
#include "base/rng.h"
#include "tests/trainer/golden_model.h"
#include "trainer/finetune.h"
#include "trainer/threads.h"
#include "trainer/training/examples.h"
#include "trainer/training/private_gradient.h"
#include "trainer/training/train.h"

namespace freshet {
namespace {

constexpr double kSteps = 1 << PrivateGradient::kGridBits;  // of the grid in one clip

TokenStream stories(int documents, std::size_t length, std::uint64_t seed) {
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

// One matrix A and one B, so that a half can be left alone.
Layout layout_of(std::size_t each) {
  Layout layout;
  for (const Factor factor : {Factor::kA, Factor::kB}) {
    LayoutEntry entry;
    entry.factor = factor;
    entry.rows = 1;
    entry.columns = static_cast<int>(each);
    entry.offset = layout.size;
    layout.size += each;
    layout.entries.push_back(entry);
  }
  return layout;
}

Secret key_of(std::uint8_t number) {
  Secret key(32);
  key.writable()[0] = number;
  return key;
}

KeyedRng noise_of_step(int step, std::uint8_t training = 0) {
  Digest name{};
  name[0] = training;
  return rng_of_step(key_of(1), "noise", name, step);
}

std::vector<float> some_gradient(std::size_t size, double scale, std::uint64_t seed) {
  Rng rng(seed);
  std::vector<float> gradient(size);
  for (float& entry : gradient) entry = static_cast<float>(scale * rng.normal());
  return gradient;
}

double norm_of(const std::vector<std::int64_t>& sum) {
  double square = 0;
  for (const std::int64_t entry : sum)
    square += static_cast<double>(entry) * static_cast<double>(entry);
  return std::sqrt(square);
}

TEST(PrivateGradient, IsChangedByNoExampleByMoreThanTheClip) {
  const Layout layout = layout_of(500);
  for (const float clip : {1e-3f, 1.0f, 37.5f})
    for (const double scale : {1e-6, 1e-3, 0.04, 1.0, 1e20}) {
      PrivateGradient sum(layout, true, true, clip, 1);
      sum.add(some_gradient(layout.size, 2, 1));
      const std::vector<std::int64_t> before = sum.sum();
      sum.add(some_gradient(layout.size, scale, 2));
      std::vector<std::int64_t> change = sum.sum();
      for (std::size_t i = 0; i < change.size(); ++i) change[i] -= before[i];
      EXPECT_LE(norm_of(change), kSteps) << "clip " << clip << ", scale " << scale;
      if (scale * 25 > double{clip}) {
        EXPECT_GT(norm_of(change), 0.999 * kSteps) << "clip " << clip;
      }
    }
}

TEST(PrivateGradient, KeepsWhatIsShorterThanTheClip) {
  const Layout layout = layout_of(50);
  PrivateGradient sum(layout, true, true, 10, 1);
  const std::vector<float> gradient = some_gradient(layout.size, 0.1, 3);
  const double norm = sum.add(gradient);
  EXPECT_NEAR(
      norm, std::sqrt(std::inner_product(gradient.begin(), gradient.end(), gradient.begin(), 0.0)),
      1e-6);
  for (std::size_t i = 0; i < gradient.size(); ++i)
    EXPECT_NEAR(static_cast<double>(sum.sum()[i]) * sum.grid(), double{gradient[i]}, sum.grid());
}

TEST(PrivateGradient, TakesNothingThatIsNoNumber) {
  PrivateGradient sum(layout_of(4), true, true, 1, 1);
  std::vector<float> gradient(8, 0.1f);
  gradient[3] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_FALSE(std::isfinite(sum.add(gradient)));
  EXPECT_EQ(norm_of(sum.sum()), 0);
}

TEST(PrivateGradient, HasNoiseOfMultiplierTimesClipInEveryTrainedEntry) {
  constexpr std::size_t kEach = 40'000;
  const Layout layout = layout_of(kEach);
  const struct {
    double multiplier, clip, examples;
  } kCases[] = {{1, 1, 1}, {0.7, 2, 16}, {12, 0.05, 3}};
  for (const auto& each : kCases) {
    const PrivateGradient sum(layout, false, true, static_cast<float>(each.clip), each.multiplier);
    std::vector<float> noise(layout.size, 9.0f);
    KeyedRng rng = noise_of_step(7);
    sum.release(rng, each.examples, noise);
    for (std::size_t i = 0; i < kEach; ++i) ASSERT_EQ(noise[i], 0.0f) << "A is not trained";
    double mean = 0, square = 0, fourth = 0;
    for (std::size_t i = kEach; i < 2 * kEach; ++i) {
      const double entry = double{noise[i]};
      mean += entry / kEach;
      square += entry * entry / kEach;
      fourth += entry * entry * entry * entry / kEach;
    }
    const double sigma = each.multiplier * each.clip / each.examples;
    EXPECT_NEAR(mean / sigma, 0, 5 / std::sqrt(kEach));
    EXPECT_NEAR(square / (sigma * sigma), 1, 5 * std::sqrt(2.0 / kEach));
    EXPECT_NEAR(fourth / (sigma * sigma * sigma * sigma), 3, 5 * std::sqrt(96.0 / kEach));
  }
}

TEST(PrivateGradient, HasOneNoiseForOneStepOfOneTraining) {
  const Layout layout = layout_of(50);
  const PrivateGradient sum(layout, true, true, 1, 1);
  const auto noise = [&](KeyedRng rng) {
    std::vector<float> entries(layout.size);
    sum.release(rng, 1, entries);
    return entries;
  };
  EXPECT_EQ(noise(noise_of_step(3)), noise(noise_of_step(3)));
  EXPECT_NE(noise(noise_of_step(3)), noise(noise_of_step(4)));
  EXPECT_NE(noise(noise_of_step(3)), noise(noise_of_step(3, 1)));
}

TEST(Examples, AreDocumentsOrWindowsOfLongerOnes) {
  TokenStream text;
  for (const std::size_t length : {5, 1, 17, 9}) {
    std::vector<TokenId> ids(length);
    std::iota(ids.begin(), ids.end(), static_cast<TokenId>(10 * text.size()));
    text.append(ids, {}, length);
  }
  std::vector<std::pair<std::size_t, int>> found;
  std::vector<int> predicted(text.size(), 0);
  for (const Piece& piece : examples_of(text, 8)) {
    found.emplace_back(piece.first, piece.length);
    const TokenBatch batch = example_batch(text, piece);
    for (std::size_t i = 0; i < batch.targets.size(); ++i) {
      EXPECT_EQ(batch.ids[i], text.ids[piece.first + i]);
      EXPECT_EQ(batch.targets[i], text.ids[piece.first + i + 1]);
      ++predicted[piece.first + i + 1];
    }
  }
  const std::vector<std::pair<std::size_t, int>> wanted = {{0, 4}, {6, 8}, {14, 8}, {23, 8}};
  EXPECT_EQ(found, wanted);
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool starts = std::ranges::binary_search(text.starts, i);
    EXPECT_EQ(predicted[i], starts ? 0 : 1) << "id " << i;
  }
}

TEST(Examples, AreDrawnEachByItself) {
  constexpr std::size_t kExamples = 400;
  constexpr int kDraws = 500;
  constexpr double kRate = 0.1;
  std::vector<int> often(kExamples, 0);
  double sizes = 0, squares = 0, both = 0;
  for (int step = 0; step < kDraws; ++step) {
    const std::vector<std::size_t> drawn = draw_examples(key_of(2), {}, step, kExamples, kRate);
    for (const std::size_t i : drawn) ++often[i];
    const auto size = static_cast<double>(drawn.size());
    sizes += size / kDraws;
    squares += size * size / kDraws;
    both += std::ranges::binary_search(drawn, 1) && std::ranges::binary_search(drawn, 2);
  }
  // Sizes as of a binomial: Poisson sampling, and no batch of fixed size.
  const double variance = kExamples * kRate * (1 - kRate);
  EXPECT_NEAR(sizes, kExamples * kRate, 5 * std::sqrt(variance / kDraws));
  EXPECT_NEAR((squares - sizes * sizes) / variance, 1, 5 * std::sqrt(2.0 / kDraws));
  EXPECT_NEAR(both / kDraws, kRate * kRate, 5 * kRate / std::sqrt(kDraws));
  for (const int times : often)
    EXPECT_NEAR(times, kDraws * kRate, 5 * std::sqrt(kDraws * kRate * (1 - kRate)));
  EXPECT_EQ(draw_examples(key_of(2), {}, 3, kExamples, kRate),
            draw_examples(key_of(2), {}, 3, kExamples, kRate));
  EXPECT_NE(draw_examples(key_of(2), {}, 3, kExamples, kRate),
            draw_examples(key_of(3), {}, 3, kExamples, kRate));
}

class PrivateTrainingOf : public testing::Test {
 protected:
  PrivateTrainingOf()
      : model("qwen3"), layout(adapter_layout(model.config, {4, 8, {}}).value()), key(key_of(9)) {
    plan.base = {.adapter = {.rank = 4, .alpha = 8, .targets = {}},
                 .train_a = true,
                 .train_b = true,
                 .steps = 40,
                 .batch = 16,
                 .window = 16,
                 .lr = 1e-2f,
                 .seed = 3};
    plan.dp = {.multiplier = 0.5, .clip = 1};
    hooks.dp_key = &key;
    set_threads(1);  // passes of one short example: threads would only wait for each other
  }
  ~PrivateTrainingOf() override { set_threads(threads); }
  Result<Trained> run(TrainState start = {}) const {
    if (start.adapter.empty()) start.adapter = initial_adapter(layout, 5);
    return train(model.transformer, plan, layout, std::move(start), text, hooks);
  }

  const int threads = thread_count();
  golden::Model model;
  Layout layout;
  Secret key;
  TrainPlan plan;
  TrainHooks hooks;
  TokenStream text = stories(160, 17, 1);
};

TEST_F(PrivateTrainingOf, LearnsAllTheSame) {
  const std::vector<float> losses = run()->state.losses;
  ASSERT_EQ(losses.size(), 40u);
  EXPECT_LT(losses.back(), losses.front() - 0.5f);
}

// As a campaign's node asks for it: repeatable under one key, and over the text that was charged.
TEST_F(PrivateTrainingOf, OfACampaignIsTheSameAgainUnderItsKeyAlone) {
  FinetunePlan asked = plan.base;
  asked.steps = 3;
  asked.examples = {0.5, 1, text_digest(text), {7}};
  const auto adapter_of = [&](const FinetunePlan& each) {
    return finetune(model.transformer, each, {}, text, {}).value().adapter;
  };
  const std::vector<float> once = adapter_of(asked);
  EXPECT_EQ(adapter_of(asked), once);
  FinetunePlan other = asked;
  other.examples.key[0] = 8;
  EXPECT_NE(adapter_of(other), once);
  other = asked;
  other.examples.multiplier = 0;
  EXPECT_NE(adapter_of(other), once);
  const auto another_text = finetune(model.transformer, asked, {}, stories(160, 17, 2), {});
  ASSERT_FALSE(another_text);
  EXPECT_EQ(another_text.error().code, Code::kUnavailable) << another_text.error().what;
  asked.examples.clip = 0;
  EXPECT_EQ(finetune(model.transformer, asked, {}, text, {}).error().code, Code::kBadInput);
}

TEST_F(PrivateTrainingOf, LearnsNothingWhereNoiseIsAllThereIs) {
  plan.dp.multiplier = 64;
  const std::vector<float> losses = run()->state.losses;
  EXPECT_GT(losses.back(), losses.front() - 0.2f);
}

TEST_F(PrivateTrainingOf, BrokenOffAndGoneOnWithGivesTheSameAdapter) {
  const Trained whole = run().value();
  std::optional<TrainState> saved;
  hooks.save_every = 13;
  hooks.save = [&](const TrainState& state) -> Result<void> {
    saved = state;
    return state.step == 26 ? Result<void>(fail(Code::kUnavailable, "enough")) : Result<void>();
  };
  EXPECT_FALSE(run());
  hooks.save_every = 0;
  ASSERT_EQ(saved->step, 26);
  EXPECT_EQ(run(*saved)->state.adapter, whole.state.adapter);
  Digest other{};
  other[5] = 1;
  hooks.dp_training = other;
  EXPECT_NE(run()->state.adapter, whole.state.adapter);
}

TEST_F(PrivateTrainingOf, RefusesWhatItCannotPromise) {
  plan.gradient = Gradient::kMezo;
  EXPECT_EQ(run().error().code, Code::kBadInput);
  plan.gradient = Gradient::kBackward;
  plan.base.batch = 1000;
  const auto refused = run();
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().what.find("160"), std::string::npos) << refused.error().what;
}

}  // namespace
}  // namespace freshet
