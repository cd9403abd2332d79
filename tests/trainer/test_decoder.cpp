// Decoding with kept keys and values against the full pass, and against transformers' greedy ids.

#include <cmath>

#include "tests/trainer/golden_model.h"
#include "trainer/transformer/decoder.h"
#include "trainer/transformer/large_pages.h"
#include "trainer/transformer/pass.h"

namespace freshet {
namespace {

class Decoding : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Architectures, Decoding, testing::ValuesIn(golden::kNames),
                         [](const auto& one) {
                           std::string name = one.param;
                           for (char& c : name)
                             if (c == '-') c = '_';
                           return name;
                         });

std::vector<float> logits_of_pass(const golden::Model& model, const Lora& lora,
                                  std::span<const TokenId> ids) {
  TokenBatch batch;
  batch.ids.assign(ids.begin(), ids.end());
  batch.sequences = 1;
  batch.time = static_cast<int>(ids.size());
  Pass pass(model.transformer, lora, {.rows_max = batch.rows()});
  std::vector<float> logits(static_cast<std::size_t>(model.config.vocab_size));
  const float* hidden = pass.hidden(batch);
  Head::logits(model.transformer, 1, hidden + (batch.rows() - 1) * model.config.hidden_size,
               logits.data());
  return logits;
}

void expect_same(const float* found, const std::vector<float>& wanted, double relative,
                 const char* what) {
  double worst = 0, largest = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    worst = std::max(worst, std::fabs(double{found[i]} - wanted[i]));
    largest = std::max(largest, std::fabs(double{wanted[i]}));
  }
  EXPECT_LE(worst, relative * largest) << what;
}

std::vector<TokenId> greedy(Decoder& decoder, std::span<const TokenId> prompt, std::size_t count,
                            int vocab) {
  std::vector<TokenId> made;
  Result<const float*> logits = decoder.feed(prompt);
  while (logits) {
    made.push_back(static_cast<TokenId>(std::max_element(*logits, *logits + vocab) - *logits));
    if (made.size() == count) break;
    logits = decoder.feed({&made.back(), 1});
  }
  return made;
}

TEST_P(Decoding, GreedyIdsAreThoseOfTransformers) {
  const golden::Model model(GetParam());
  const Lora none;
  const auto prompt = model.expected["greedy"]["prompt"].get<std::vector<TokenId>>();
  const auto wanted = model.expected["greedy"]["ids"].get<std::vector<TokenId>>();
  Decoder decoder(model.transformer, none, static_cast<int>(prompt.size() + wanted.size()));
  EXPECT_EQ(greedy(decoder, prompt, wanted.size(), model.config.vocab_size), wanted);
}

TEST_P(Decoding, LogitsAreThoseOfTheFullPassHoweverTheTokensCome) {
  const golden::Model model(GetParam());
  const PeftAdapter adapter = model.adapter();
  const Layout layout = adapter_layout(model.config, adapter.spec).value();
  const Lora adapted(model.config, layout, adapter.values.data(), nullptr, false, false), none;
  const std::vector<TokenId> ids = model.ids();
  for (const Lora* lora : {&none, &adapted}) {
    Decoder decoder(model.transformer, *lora, static_cast<int>(ids.size()));
    std::size_t at = 0;
    for (const std::size_t some : {1, 2, 7, 1, 1, 3, 5, 1, 1, 1}) {
      ASSERT_LE(at + some, ids.size());
      const Result<const float*> logits = decoder.feed(std::span(ids).subspan(at, some));
      ASSERT_TRUE(logits) << logits.error().what;
      at += some;
      expect_same(*logits, logits_of_pass(model, *lora, std::span(ids).first(at)), 1e-5,
                  lora == &none ? "base" : "adapter");
    }
    EXPECT_EQ(decoder.length(), static_cast<int>(at));
  }
}

TEST_P(Decoding, RewindingForgets) {
  const golden::Model model(GetParam());
  const Lora none;
  const std::vector<TokenId> ids = model.ids();
  Decoder decoder(model.transformer, none, static_cast<int>(ids.size()));
  const std::vector<TokenId> other(8, 5);
  ASSERT_TRUE(decoder.feed(std::span(ids).first(10)));
  ASSERT_TRUE(decoder.feed(other));
  decoder.rewind(10);
  const Result<const float*> logits = decoder.feed(std::span(ids).subspan(10));
  ASSERT_TRUE(logits);
  expect_same(*logits, logits_of_pass(model, none, ids), 1e-5, "after rewinding");
}

TEST_P(Decoding, LargePagesHoldTheSameModel) {
  for (const Precision precision :
       {Precision::kF32, Precision::kBf16, Precision::kInt8, Precision::kNf4}) {
    golden::Model model(GetParam(), precision);
    const Lora none;
    const std::vector<TokenId> ids = model.ids();
    const auto logits = [&] {
      Decoder decoder(model.transformer, none, static_cast<int>(ids.size()));
      const float* found = decoder.feed(ids).value();
      return std::vector<float>(found, found + model.config.vocab_size);
    };
    const std::vector<float> before = logits();
    move_to_large_pages(model.transformer);
    EXPECT_EQ(model.transformer.mapped, nullptr);
    EXPECT_EQ(logits(), before) << name_of(precision);
  }
}

TEST_P(Decoding, OtherPrecisionsStayNear) {
  const golden::Model exact(GetParam());
  const Lora none;
  const std::vector<TokenId> ids = exact.ids();
  const std::vector<float> wanted = logits_of_pass(exact, none, ids);
  for (const auto& [precision, near] :
       {std::pair(Precision::kBf16, 0.05), {Precision::kInt8, 0.08}, {Precision::kNf4, 0.6}}) {
    const golden::Model model(GetParam(), precision);
    Decoder decoder(model.transformer, none, static_cast<int>(ids.size()));
    const float* logits = nullptr;
    for (const TokenId id : ids) logits = decoder.feed({&id, 1}).value();
    expect_same(logits, wanted, near, std::string(name_of(precision)).c_str());
    expect_same(logits, logits_of_pass(model, none, ids), 0.03,
                std::string(name_of(precision)).c_str());
  }
}

TEST(Decoder, RefusesWhatDoesNotFit) {
  const golden::Model model("qwen3");
  const Lora none;
  Decoder decoder(model.transformer, none, 4);
  const std::vector<TokenId> five(5, 1), wrong = {1, model.config.vocab_size}, negative = {-1},
                                         three(3, 1);
  EXPECT_FALSE(decoder.feed({}));
  EXPECT_FALSE(decoder.feed(five));
  EXPECT_FALSE(decoder.feed(wrong));
  EXPECT_FALSE(decoder.feed(negative));
  EXPECT_EQ(decoder.length(), 0);
  EXPECT_TRUE(decoder.feed(three));
  const Result<const float*> more = decoder.feed(three);
  ASSERT_FALSE(more);
  EXPECT_EQ(more.error().code, Code::kBadInput);
  EXPECT_NE(more.error().what.find("room for 4"), std::string::npos) << more.error().what;
  EXPECT_EQ(decoder.length(), 3);
}

// Longer than one part of a prompt, with one key/value head to each query head and one for all.
TEST(Decoder, ReadsALongPromptInParts) {
  const golden::Model model("mistral-window");
  ModelConfig config = model.config;
  config.max_positions = 700;
  const golden::Model* const base = &model;
  Transformer longer = load_transformer(config, base->transformer.mapped, Precision::kF32).value();
  std::vector<TokenId> ids;
  for (int i = 0; i < 600; ++i) ids.push_back((i * 37 + i / 11) % config.vocab_size);
  const Lora none;
  Decoder whole(longer, none, 700), twice(longer, none, 600);
  const Result<const float*> one = whole.feed(ids);
  ASSERT_TRUE(one);
  const std::vector<float> wanted(*one, *one + config.vocab_size);
  ASSERT_TRUE(twice.feed(std::span(ids).first(597)));
  const Result<const float*> two = twice.feed(std::span(ids).subspan(597));
  ASSERT_TRUE(two);
  expect_same(*two, wanted, 1e-5, "in parts");
  TokenBatch batch{1, 600, ids, {}, {}, {}};
  Pass pass(longer, none, {.rows_max = 600});
  std::vector<float> full(static_cast<std::size_t>(config.vocab_size));
  Head::logits(longer, 1, pass.hidden(batch) + 599 * std::int64_t{config.hidden_size}, full.data());
  expect_same(*two, full, 1e-5, "full pass");
}

}  // namespace
}  // namespace freshet
