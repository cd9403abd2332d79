#include "edge_node/payload.h"

#include <gtest/gtest.h>

#include <random>

#include "aggregation/pack.h"
#include "base/json.h"
#include "base/rng.h"
#include "crypto/secret.h"
#include "edge_node/masked_words.h"
#include "tests/temp_folder.h"

namespace freshet {
namespace {

constexpr int kBits = 20;

PayloadFacts facts_of(std::uint64_t words) {
  return {"first", {5}, {7}, {6}, Digest{1}, kBits, words, 1'795'000'000};
}
std::vector<std::uint32_t> uniform_words(std::size_t count) {
  std::vector<std::uint32_t> words(count);
  random_bytes({reinterpret_cast<std::uint8_t*>(words.data()), count * 4});
  for (std::uint32_t& word : words) word &= (1u << kBits) - 1;
  return words;
}
std::vector<std::uint32_t> plain_words(std::size_t count) {  // an update, on its grid
  std::vector<std::uint32_t> words(count);
  for (std::size_t i = 0; i < count; ++i) words[i] = 32'768 + static_cast<std::uint32_t>(i % 50);
  return words;
}
Bytes frame_of(std::span<const std::uint32_t> words) {
  Bytes frame(kFrameSignatureBytes, 0xab);
  const Bytes packed = pack(words, kBits);
  frame.insert(frame.end(), packed.begin(), packed.end());
  return frame;
}

TEST(Payload, ShowsWhatLeft) {
  TempFolder folder;
  const auto words = uniform_words(20'000);
  const Bytes frame = frame_of(words);
  ASSERT_TRUE(save_payload(folder.path(), facts_of(words.size()), frame));
  const Payload payload = load_payload(folder.path(), nullptr).value();
  EXPECT_EQ(payload.masked, words);
  EXPECT_EQ(payload.frame_bytes, frame.size());
  EXPECT_FALSE(payload.unmasked);
  const Json json = to_json(payload);
  EXPECT_EQ(json["round"], 7);
  EXPECT_EQ(json["frame_bytes"], frame.size());
  EXPECT_EQ(json["masked"]["words"], words.size());
  EXPECT_EQ(json["masked"]["first_words"][0], words[0]);
  EXPECT_GT(json["masked"]["p"].get<double>(), 1e-6);
  EXPECT_TRUE(json["unmasked"].is_null());
  const std::string text = to_text(payload);
  for (const std::string_view says :
       {"Round 7 of campaign \"first\"", "20000 of 20 bits", "p = ", "--keep-unmasked"})
    EXPECT_NE(text.find(says), std::string::npos) << text;
  EXPECT_EQ(text.find("not what uniform"), std::string::npos) << text;
}

TEST(Payload, UnmaskedWordsStaySealedAndGoWithTheirRound) {
  TempFolder folder;
  const Secret storage = Secret::random(32);
  const auto masked = uniform_words(5'000), plain = plain_words(5'000);
  const PayloadFacts facts = facts_of(masked.size());
  ASSERT_TRUE(save_payload(folder.path(), facts, frame_of(masked)));
  ASSERT_TRUE(save_unmasked(folder.path(), facts, storage, plain));
  const Payload payload = load_payload(folder.path(), &storage).value();
  EXPECT_EQ(payload.unmasked, plain);
  EXPECT_NE(to_text(payload).find("not what uniform random numbers look like"), std::string::npos);
  EXPECT_LT(to_json(payload)["unmasked"]["p"].get<double>(), 1e-6);
  const std::string file = read_file(folder / "last_unmasked.sealed", 1 << 20).value();
  EXPECT_EQ(file.find(std::string(as_text(as_bytes(std::span(plain).first(4))))),
            std::string::npos);
  const Secret other = Secret::random(32);
  EXPECT_FALSE(load_payload(folder.path(), &other)->unmasked);
  // The next round's frame takes its place; the words that stayed are not shown as of that round.
  PayloadFacts next = facts;
  next.round = {8};
  ASSERT_TRUE(save_payload(folder.path(), next, frame_of(masked)));
  EXPECT_FALSE(load_payload(folder.path(), &storage)->unmasked);
  ASSERT_TRUE(forget_unmasked(folder.path()));
  EXPECT_FALSE(std::filesystem::exists(folder / "last_unmasked.sealed"));
  EXPECT_TRUE(forget_unmasked(folder.path()));
}

TEST(Payload, SaysWhenNothingLeftOrTheFileIsBroken) {
  TempFolder folder;
  const auto none = load_payload(folder.path(), nullptr);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Code::kBadInput);
  EXPECT_NE(none.error().what.find("no masked round"), std::string::npos);
  const auto words = uniform_words(100);
  const Bytes frame = frame_of(words);
  PayloadFacts wrong = facts_of(101);
  ASSERT_TRUE(save_payload(folder.path(), wrong, frame));
  EXPECT_EQ(load_payload(folder.path(), nullptr).error().code, Code::kCorrupt);
  ASSERT_TRUE(write_file_durably(folder / "last_frame.bin", as_bytes("FRP1")));
  EXPECT_EQ(load_payload(folder.path(), nullptr).error().code, Code::kCorrupt);
}

TEST(Payload, ChiSquareTailsAreThoseOfTheTables) {
  // Quantiles of any table of the distribution.
  EXPECT_NEAR(chi_square_tail(3.841, 1), 0.05, 1e-4);
  EXPECT_NEAR(chi_square_tail(18.307, 10), 0.05, 1e-4);
  EXPECT_NEAR(chi_square_tail(135.807, 100), 0.01, 1e-4);
  EXPECT_NEAR(chi_square_tail(77.929, 100), 0.95, 1e-4);
  EXPECT_EQ(chi_square_tail(0, 5), 1);
  EXPECT_LT(chi_square_tail(2000, 255), 1e-200);
}

TEST(Payload, UniformityHoldsForUniformWordsAlone) {
  EXPECT_GT(uniformity_of(uniform_words(100'000), kBits).p, 1e-9);
  EXPECT_LT(uniformity_of(plain_words(100'000), kBits).p, 1e-100);
  EXPECT_EQ(uniformity_of(uniform_words(100), 3).degrees, 7);
  EXPECT_EQ(uniformity_of({}, kBits).p, 1);
}

// ---- the words

TEST(MaskedWords, AreTheSameForTheSameContribution) {
  const Secret storage = Secret::random(32);
  ClippedUpdate update{std::vector<float>(500), 1};
  for (std::size_t i = 0; i < update.values.size(); ++i)
    update.values[i] = 0.01f * static_cast<float>(i % 17) - 0.08f;
  Descriptor descriptor;
  descriptor.campaign = {5};
  descriptor.base = {3};
  descriptor.clip = 10;
  descriptor.grid = {.range = 1, .bits = 16};
  descriptor.word_bits = 20;
  const auto words = masked_words(update, descriptor, storage).value().words;
  ASSERT_EQ(words.size(), 501u);
  EXPECT_EQ(words.back(), 1u);
  EXPECT_EQ(masked_words(update, descriptor, storage)->words, words);
  descriptor.round = {9};
  EXPECT_EQ(masked_words(update, descriptor, storage)->words, words) << "on every try";
  EXPECT_NE(masked_words(update, descriptor, Secret::random(32))->words, words);
  descriptor.base = {4};
  EXPECT_NE(masked_words(update, descriptor, storage)->words, words);
}

TEST(MaskedWords, CarryEvaluationTotalsWhereTheyAreAskedFor) {
  const Secret storage = Secret::random(32);
  const ClippedUpdate update{std::vector<float>(50, 0.01f), 3};
  Descriptor descriptor;
  descriptor.campaign = {5};
  descriptor.clip = 10;
  descriptor.grid = {.range = 1, .bits = 16, .weight_max = 4};
  descriptor.word_bits = 24;
  const EvaluationTotals totals{987'654'321, 12'345};
  const auto plain = masked_words(update, descriptor, storage, totals).value().words;
  EXPECT_EQ(plain.size(), 51u);
  descriptor.extras = evaluation_words(descriptor.grid);
  QuantizedSum sum{masked_words(update, descriptor, storage, totals).value().words, 1};
  EXPECT_EQ(sum.words.size(), 51u + descriptor.extras);
  EXPECT_EQ(sum.words.back(), 3u);
  EXPECT_EQ(take_evaluation(sum, descriptor.grid).value(), totals) << "whatever the node's weight";
  EXPECT_EQ(sum.words, plain);
}

TEST(MaskedWords, CarryTheSameNoiseOnEveryTry) {
  const Secret storage = Secret::random(32);
  const ClippedUpdate update{std::vector<float>(500, 0.01f), 1};
  Descriptor descriptor;
  descriptor.campaign = {5};
  descriptor.base = {3};
  descriptor.clip = 0.5;
  descriptor.grid = {.range = 1, .bits = 16};
  descriptor.word_bits = 24;
  const auto plain = masked_words(update, descriptor, storage).value().words;
  descriptor.noise = {.multiplier = 1, .sampling_rate = 1, .delta = 1e-5, .honest_min = 4};
  const auto noisy = masked_words(update, descriptor, storage);
  ASSERT_TRUE(noisy) << noisy.error().what;
  EXPECT_EQ(masked_words(update, descriptor, storage)->words, noisy->words);
  EXPECT_NE(noisy->words, plain);
  EXPECT_EQ(noisy->words.back(), 1u) << "the weight is public";
}

}  // namespace
}  // namespace freshet
