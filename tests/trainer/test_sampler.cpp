// What is drawn, and where a text ends.

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "tests/trainer/golden_model.h"
#include "trainer/transformer/generation.h"
#include "trainer/transformer/sampler.h"
#include "trainer/transformer/stop_texts.h"

namespace freshet {
namespace {

std::vector<TokenId> ids_of(std::vector<Candidate> from) {
  std::vector<TokenId> ids;
  for (const Candidate& one : from) ids.push_back(one.id);
  std::sort(ids.begin(), ids.end());
  return ids;
}

std::vector<float> logs(const std::vector<double>& probabilities) {
  std::vector<float> logits;
  for (const double p : probabilities) logits.push_back(static_cast<float>(std::log(p)));
  return logits;
}

std::vector<TokenId> kept(const GeneratePlan& plan, const std::vector<double>& probabilities) {
  return ids_of(
      Sampler(plan, static_cast<int>(probabilities.size())).candidates(logs(probabilities)));
}

using Ids = std::vector<TokenId>;

TEST(Sampler, DrawsEachTokenAsOftenAsItsProbabilitySays) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::vector<float> logits;
  for (int i = 0; i < 12; ++i) logits.push_back(std::sin(static_cast<float>(3 * i)) * 1.5f);
  for (const float temperature : {0.5f, 1.0f, 2.0f}) {
    Sampler sampler({.temperature = temperature, .seed = seed}, 12);
    std::vector<double> expected;
    double sum = 0;
    for (const float z : logits) sum += expected.emplace_back(std::exp(z / temperature));
    std::vector<int> counts(12, 0);
    constexpr int kDraws = 40'000;
    for (int i = 0; i < kDraws; ++i) ++counts[static_cast<std::size_t>(sampler.choose(logits))];
    double square = 0;
    for (std::size_t i = 0; i < 12; ++i) {
      const double wanted = expected[i] / sum * kDraws;
      square += std::pow(counts[i] - wanted, 2) / wanted;
    }
    EXPECT_LT(square, 45.0)
        << "chi-square of 11 degrees of freedom, exceeded once in 200,000 runs; temperature "
        << temperature;
  }
}

TEST(Sampler, DrawsTheSameFromTheSameSeed) {
  const std::vector<float> logits(50, 0.0f);
  Sampler one({.seed = 7}, 50), same({.seed = 7}, 50), other({.seed = 8}, 50);
  Ids a, b, c;
  for (int i = 0; i < 30; ++i) {
    a.push_back(one.choose(logits));
    b.push_back(same.choose(logits));
    c.push_back(other.choose(logits));
  }
  EXPECT_EQ(a, b);
  EXPECT_NE(a, c);
}

TEST(Sampler, TopPKeepsTheTokenThatReachesIt) {
  const std::vector<double> p = {0.1, 0.4, 0.2, 0.25, 0.05};
  EXPECT_EQ(kept({.top_p = 0.39f}, p), (Ids{1}));
  EXPECT_EQ(kept({.top_p = 0.41f}, p), (Ids{1, 3}));
  EXPECT_EQ(kept({.top_p = 0.64f}, p), (Ids{1, 3}));
  EXPECT_EQ(kept({.top_p = 0.66f}, p), (Ids{1, 2, 3}));
  EXPECT_EQ(kept({.top_p = 0.96f}, p), (Ids{0, 1, 2, 3, 4}));
  EXPECT_EQ(kept({.top_p = 1e-6f}, p), (Ids{1}));
}

TEST(Sampler, TopPOfAWholeVocabularyIsThatOfASort) {
  std::vector<double> p(5000);
  double sum = 0;
  for (std::size_t i = 0; i < p.size(); ++i)
    sum += p[i] = 1.0 / static_cast<double>(1 + (i * 2741) % 5000);
  for (double& one : p) one /= sum;
  std::vector<double> sorted = p;
  std::sort(sorted.rbegin(), sorted.rend());
  for (const float top_p : {0.3f, 0.7f, 0.95f}) {
    double reached = 0;
    std::size_t count = 0;
    while (reached < top_p) reached += sorted[count++];
    EXPECT_NEAR(static_cast<double>(kept({.top_p = top_p}, p).size()), static_cast<double>(count),
                1.0)
        << top_p;
  }
}

TEST(Sampler, TopKKeepsTies) {
  const std::vector<double> p = {0.1, 0.3, 0.1, 0.2, 0.3};
  EXPECT_EQ(kept({.top_k = 1}, p), (Ids{1, 4}));
  EXPECT_EQ(kept({.top_k = 2}, p), (Ids{1, 4}));
  EXPECT_EQ(kept({.top_k = 3}, p), (Ids{1, 3, 4}));
  EXPECT_EQ(kept({.top_k = 9}, p), (Ids{0, 1, 2, 3, 4}));
  EXPECT_EQ(kept({.top_k = 3, .top_p = 0.7f}, p),
            (Ids{1, 4}));  // of what top_k left: 0.375, 0.375, 0.25
}

TEST(Sampler, PenaltyMovesSeenTokensDown) {
  Sampler sampler({.greedy = true, .repetition_penalty = 2}, 4);
  EXPECT_EQ(sampler.choose(std::vector<float>{3, 2, -1, -1.5f}), 0);
  sampler.see(0);
  EXPECT_EQ(sampler.choose(std::vector<float>{3, 2, -1, -1.5f}), 1);  // 3 / 2 < 2
  sampler.see(1);
  sampler.see(2);
  EXPECT_EQ(sampler.choose(std::vector<float>{-8, -8, -1, -1.5f}), 3);  // -1 * 2 < -1.5
}

TEST(Sampler, NoNumbersAreNeverChosen) {
  const float nan = std::numeric_limits<float>::quiet_NaN(),
              never = -std::numeric_limits<float>::infinity();
  for (const bool greedy : {true, false}) {
    Sampler sampler({.greedy = greedy, .top_k = 3, .top_p = 0.9f}, 4);
    EXPECT_EQ(sampler.choose(std::vector<float>{nan, -3, never, nan}), 1);
    EXPECT_EQ(sampler.choose(std::vector<float>{nan, nan, never, nan}), -1);
  }
}

TEST(StopTexts, AreFoundAcrossPieces) {
  StopTexts stops({"\n\n", "END", ""});
  EXPECT_EQ(stops.put("one\n"), "one");
  EXPECT_EQ(stops.put("two E"), "\ntwo ");
  EXPECT_EQ(stops.put("N"), "");
  EXPECT_EQ(stops.put("E"), "EN");
  EXPECT_FALSE(stops.found());
  EXPECT_EQ(stops.put("ND and\n\nmore"), "");
  EXPECT_TRUE(stops.found());
  EXPECT_EQ(stops.put("more"), "");
  EXPECT_EQ(stops.finish(), "");
}

TEST(StopTexts, EndWithWhatWasHeldBack) {
  StopTexts stops({"abc"});
  EXPECT_EQ(stops.put("xab"), "x");
  EXPECT_EQ(stops.put("abd"), "ababd");
  EXPECT_EQ(stops.put("ab"), "");
  EXPECT_EQ(stops.finish(), "ab");
  EXPECT_FALSE(stops.found());
}

class Generation : public testing::Test {
 protected:
  Result<Generated> make(GeneratePlan plan, const OnPiece& on_piece = {}) {
    return generate(model.transformer, none, &tokenizer, prompt, plan, on_piece);
  }
  golden::Model model{"llama3-tied-shards"};
  Tokenizer tokenizer =
      Tokenizer::parse(golden::read(model.folder / "tokenizer.json"), "tokenizer.json").value();
  Lora none;
  Ids prompt = model.expected["greedy"]["prompt"].get<Ids>(),
      greedy = model.expected["greedy"]["ids"].get<Ids>();
  int wanted = static_cast<int>(greedy.size());
};

TEST_F(Generation, StreamsTheTextOfItsIds) {
  std::string streamed;
  const Result<Generated> made = make({.tokens_max = wanted, .greedy = true},
                                      [&](std::string_view piece) { streamed += piece; });
  ASSERT_TRUE(made);
  EXPECT_EQ(made->ids, greedy);
  EXPECT_EQ(made->stopped, Stopped::kLength);
  EXPECT_EQ(streamed, made->text);
  Ids all = prompt;
  all.insert(all.end(), greedy.begin(), greedy.end());
  EXPECT_EQ(tokenizer.decode(prompt) + made->text, tokenizer.decode(all));
}

TEST_F(Generation, EndsAtAnEosAndAtAStopText) {
  const auto ended = make({.tokens_max = wanted, .greedy = true, .eos_ids = {-1, greedy[5]}});
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->stopped, Stopped::kEos);
  EXPECT_EQ(ended->ids, Ids(greedy.begin(), std::find(greedy.begin(), greedy.end(), greedy[5])));
  const std::string text = make({.tokens_max = wanted, .greedy = true})->text;
  const std::string stop = text.substr(text.size() / 2, 2);
  const auto stopped = make({.tokens_max = wanted, .greedy = true, .stops = {stop}});
  ASSERT_TRUE(stopped);
  EXPECT_EQ(stopped->stopped, Stopped::kStop);
  EXPECT_EQ(stopped->text, text.substr(0, text.find(stop)));
  EXPECT_LT(stopped->ids.size(), greedy.size());
}

TEST_F(Generation, EndsWhereThePositionsEnd) {
  const auto made = make({.tokens_max = 1'000'000, .greedy = true});
  ASSERT_TRUE(made);
  EXPECT_EQ(prompt.size() + made->ids.size(), static_cast<std::size_t>(model.config.max_positions));
  prompt.assign(static_cast<std::size_t>(model.config.max_positions), 1);
  EXPECT_FALSE(make({}));
  prompt.clear();
  EXPECT_FALSE(make({}));
  prompt = {1, model.config.vocab_size};
  EXPECT_FALSE(make({}));
}

TEST_F(Generation, SaysThatAModelGivesNoNumbers) {
  model.transformer.norm.weight.assign(model.transformer.norm.weight.size(),
                                       std::numeric_limits<float>::quiet_NaN());
  const auto made = make({.greedy = true});
  ASSERT_FALSE(made);
  EXPECT_NE(made.error().what.find("damaged"), std::string::npos);
}

}  // namespace
}  // namespace freshet
