// The passes on the processor and LibTorch's, written apart from each other, agree on every golden
// model.

#include <ATen/ATen.h>

#include <cmath>

#include "base/rng.h"
#include "tests/trainer/golden_model.h"
#include "trainer/torch/torch_pass.h"

namespace freshet {
namespace {

constexpr std::uint64_t kPassSeed = 11;

class TorchPassOf : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Architectures, TorchPassOf, testing::ValuesIn(golden::kNames),
                         [](const auto& one) {
                           std::string name = one.param;
                           for (char& c : name)
                             if (c == '-') c = '_';
                           return name;
                         });

struct Case {
  explicit Case(const std::string& name)
      : model(name),
        adapter(model.adapter()),
        layout(adapter_layout(model.config, adapter.spec).value()) {}
  golden::Model model;
  PeftAdapter adapter;
  Layout layout;
};

// Two sequences of the model's ids, the second from elsewhere; a few targets do not count.
TokenBatch plain_batch(const Case& of) {
  const std::vector<std::int32_t> ids = of.model.ids();
  TokenBatch batch;
  batch.sequences = 2;
  batch.time = static_cast<int>(ids.size()) - 5;
  for (const std::ptrdiff_t first : {0, 4}) {
    batch.ids.insert(batch.ids.end(), ids.begin() + first, ids.begin() + first + batch.time);
    batch.targets.insert(batch.targets.end(), ids.begin() + first + 1,
                         ids.begin() + first + 1 + batch.time);
  }
  for (std::size_t i = 3; i < batch.targets.size(); i += 5) batch.targets[i] = -1;
  return batch;
}

// The same ids as documents of seven tokens, the second sequence's cut elsewhere.
TokenBatch packed_batch(const Case& of) {
  TokenBatch batch = plain_batch(of);
  for (int s = 0; s < batch.sequences; ++s)
    for (int t = 0, start = 0; t < batch.time; ++t) {
      if (t - start == 7 || (s == 1 && t == 3)) start = t;
      batch.first_seen.push_back(start);
      batch.positions.push_back(t - start);
    }
  return batch;
}

TeacherRows teacher_of(const Case& of, const TokenBatch& batch) {
  TeacherRows teacher{{}, {}, 3, 1.5f, 0.7f, 0.3f};
  Rng rng(kPassSeed, 1);
  for (std::int64_t n = 0; n < batch.rows(); ++n) {
    const auto first = static_cast<std::int64_t>(
        rng.below(static_cast<std::uint64_t>(of.model.config.vocab_size) - 3));
    for (const std::int64_t i : {2, 0, 1}) teacher.ids.push_back(first + i);
    for (const float q : {0.5f, 0.2f, 0.1f}) teacher.q.push_back(q);
  }
  return teacher;
}

struct Found {
  double loss = 0;
  std::vector<float> gradient;
};

struct Asked {
  bool train_a = true, train_b = true;
  Precision precision = Precision::kF32;
  const TeacherRows* teacher = nullptr;
  float factor = 0.25f;
};

Found by_hand(const Case& of, const TokenBatch& batch, const Asked& asked) {
  Found found{0, std::vector<float>(of.layout.size)};
  const Lora lora(of.model.config, of.layout, of.adapter.values.data(), found.gradient.data(),
                  asked.train_a, asked.train_b);
  Pass pass(of.model.transformer, lora, {.rows_max = batch.rows(), .head_rows = 9, .train = true});
  found.loss = pass.run(batch, asked.factor, asked.teacher);
  return found;
}

Found by_torch(const Case& of, const TokenBatch& batch, const Asked& asked) {
  Found found{0, std::vector<float>(of.layout.size)};
  auto pass = make_torch_pass(
      of.model.config, *of.model.transformer.mapped,
      {of.layout, of.adapter.values.data(), found.gradient.data(), asked.train_a, asked.train_b},
      {.precision = asked.precision, .head_rows = 9});
  EXPECT_TRUE(pass) << pass.error().what;
  if (pass) found.loss = (*pass)->run(batch, asked.factor, asked.teacher);
  return found;
}

double size_of(const std::vector<float>& values) {
  double sum = 0;
  for (float value : values) sum += double{value} * value;
  return std::sqrt(sum);
}

void expect_alike(const Found& a, const Found& b, double relative = 1e-4) {
  EXPECT_NEAR(a.loss, b.loss, relative * std::fabs(a.loss));
  EXPECT_GT(size_of(a.gradient), 0);
  std::vector<float> difference = a.gradient;
  for (std::size_t i = 0; i < difference.size(); ++i) difference[i] -= b.gradient[i];
  EXPECT_LE(size_of(difference), relative * size_of(a.gradient));
}

TEST_P(TorchPassOf, AgreesOnWholeSequences) {
  const Case of(GetParam());
  const TokenBatch batch = plain_batch(of);
  expect_alike(by_hand(of, batch, {}), by_torch(of, batch, {}));
}

TEST_P(TorchPassOf, AgreesOnPackedDocuments) {
  const Case of(GetParam());
  const TokenBatch batch = packed_batch(of);
  const Found packed = by_torch(of, batch, {});
  expect_alike(by_hand(of, batch, {}), packed);
  EXPECT_GT(std::fabs(packed.loss - by_torch(of, plain_batch(of), {}).loss), 1e-3 * packed.loss);
}

TEST_P(TorchPassOf, AgreesOnATeacher) {
  const Case of(GetParam());
  const TokenBatch batch = packed_batch(of);
  const TeacherRows teacher = teacher_of(of, batch);
  expect_alike(by_hand(of, batch, {.teacher = &teacher}),
               by_torch(of, batch, {.teacher = &teacher}));
}

TEST_P(TorchPassOf, StaysNearInBf16) {
  const Case of(GetParam());
  const TokenBatch batch = plain_batch(of);
  expect_alike(by_torch(of, batch, {}), by_torch(of, batch, {.precision = Precision::kBf16}), 0.05);
}

TEST(TorchPass, TrainsOnlyTheChosenFactor) {
  const Case of("qwen3");
  const TokenBatch batch = plain_batch(of);
  const Found found = by_torch(of, batch, {.train_a = false});
  expect_alike(by_hand(of, batch, {.train_a = false}), found);
  for (const LayoutEntry& entry : of.layout.entries)
    if (entry.factor == Factor::kA) {
      EXPECT_EQ(size_of({found.gradient.begin() + static_cast<std::ptrdiff_t>(entry.offset),
                         found.gradient.begin() +
                             static_cast<std::ptrdiff_t>(entry.offset + entry.size())}),
                0)
          << entry.module;
    }
}

TEST(TorchPass, ReadsTheAdapterAnewAndAddsToTheGradient) {
  const Case of("gpt2");
  const TokenBatch batch = plain_batch(of);
  std::vector<float> values = of.adapter.values, gradient(of.layout.size);
  const auto pass = make_torch_pass(of.model.config, *of.model.transformer.mapped,
                                    {of.layout, values.data(), gradient.data(), true, true}, {});
  ASSERT_TRUE(pass) << pass.error().what;
  const double loss = (*pass)->run(batch, 1, nullptr);
  const std::vector<float> once = gradient;
  EXPECT_EQ((*pass)->run(batch, 1, nullptr), loss);
  EXPECT_NEAR(size_of(gradient), 2 * size_of(once), 1e-4 * size_of(once));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] -= 0.02f * once[i];
  EXPECT_LT((*pass)->run(batch, 1, nullptr), loss);
}

TEST(TorchPass, MeasuresTheBaseModelWithoutAnAdapter) {
  const Case of("llama3-tied-shards");
  const TokenBatch batch = plain_batch(of);
  const auto torch = make_torch_pass(of.model.config, *of.model.transformer.mapped, {}, {});
  ASSERT_TRUE(torch) << torch.error().what;
  const Lora none;
  Pass pass(of.model.transformer, none, {.rows_max = batch.rows()});
  EXPECT_NEAR((*torch)->run(batch, 1, nullptr), pass.run(batch, 1, nullptr), 1e-3);
}

TEST(TorchPass, RefusesWhatItCannotDo) {
  const Case of("gpt2"), other("qwen3");
  const auto refused = [&](const ModelConfig& config, const TorchPlan& plan) {
    const auto made = make_torch_pass(config, *of.model.transformer.mapped, {}, plan);
    EXPECT_FALSE(made);
    return made ? Error{} : made.error();
  };
  EXPECT_EQ(refused(of.model.config, {.device = "toaster"}).code, Code::kBadInput);
  EXPECT_EQ(refused(of.model.config, {.precision = Precision::kNf4}).code, Code::kBadInput);
  const Error missing = refused(other.model.config, {});
  EXPECT_EQ(missing.code, Code::kBadInput);
  EXPECT_NE(missing.what.find("model.embed_tokens.weight"), std::string::npos) << missing.what;
  if (at::hasCUDA()) return;
  const Error absent = refused(of.model.config, {.device = "cuda"});
  EXPECT_EQ(absent.code, Code::kUnavailable);
  EXPECT_NE(absent.what.find("--device cpu"), std::string::npos) << absent.what;
}

}  // namespace
}  // namespace freshet
