// What follows a text, heard from several models at once, and from models with other tokens.

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "base/rng.h"
#include "tests/trainer/random_model.h"
#include "trainer/adaptation/context_mixture.h"
#include "trainer/adaptation/foreign_logits.h"
#include "trainer/adaptation/lesson.h"
#include "trainer/adaptation/proxy_writer.h"
#include "trainer/adaptation/token_alignment.h"

namespace freshet {
namespace {

using Words = std::vector<std::string_view>;

// Fixed random logits, by row of what was read.
class DrawnLogits final : public LogitSource {
 public:
  DrawnLogits(int vocab, std::uint64_t seed) : vocab_(vocab), seed_(seed) {}
  int vocab() const override { return vocab_; }
  int positions() const override { return 512; }
  void read(const TokenBatch&) override {}
  void rows(std::int64_t first, std::int64_t count, float* out) override {
    for (std::int64_t row = 0; row < count; ++row) {
      Rng rng(seed_, static_cast<std::uint64_t>(first + row));
      for (int i = 0; i < vocab_; ++i) *out++ = 4 * (static_cast<float>(rng.uniform()) - 0.5f);
    }
  }

 private:
  int vocab_;
  std::uint64_t seed_;
};

std::vector<float> logits_of(LogitSource& source, const TokenBatch& batch) {
  std::vector<float> out(static_cast<std::size_t>(batch.rows() * source.vocab()));
  source.read(batch);
  source.rows(0, batch.rows(), out.data());
  return out;
}

TokenBatch batch_of_ids(int sequences, const std::vector<TokenId>& ids) {
  TokenBatch batch{sequences, static_cast<int>(ids.size()) / sequences, ids, {}, {}, {}};
  batch.targets.assign(ids.size(), -1);
  return batch;
}

Prompts drawn_prompts(int vocab, int window, int sequences) {
  Rng rng(5);
  Prompts prompts{window, {}, {}};
  for (int i = 0; i < window * sequences; ++i) {
    prompts.ids.push_back(static_cast<TokenId>(rng.below(static_cast<std::uint32_t>(vocab))));
    if (i > 0) prompts.next.push_back(prompts.ids.back());
  }
  prompts.next.push_back(-1);
  return prompts;
}

TEST(Opinions, ASingleOneIsTheModelItself) {
  DrawnLogits large(40, 1), tuned(40, 2), base(40, 3);
  ContextMixture alone(large, tuned, base, {{{0, 1, 0}}, 0.9f, 0.5f});
  const Prompts prompts = drawn_prompts(40, 12, 3);
  const std::vector<float> mixed = next_log_probs(alone, prompts),
                           own = next_log_probs(tuned, prompts);
  for (std::size_t row = 0; row < own.size(); ++row) EXPECT_NEAR(mixed[row], own[row], 1e-4);
}

TEST(Opinions, WeightsAreThePosteriorOfWhatWasRead) {
  MixturePlan plan{{{1, 0, 0}, {0, 1, 0}}, 1, 1e-6f};
  OpinionWeights along(plan);
  EXPECT_NEAR(along.weights()[0], 0.5, 1e-9);
  along.observe(std::vector<double>{std::log(0.5), std::log(0.1)});
  along.observe(std::vector<double>{std::log(0.2), std::log(0.3)});
  EXPECT_NEAR(along.weights()[0], 0.1 / (0.1 + 0.03), 1e-5);
  plan.memory = 0.5f;
  OpinionWeights forgets(plan);
  forgets.observe(std::vector<double>{std::log(0.5), std::log(0.1)});
  forgets.observe(std::vector<double>{0, 0});
  EXPECT_NEAR(forgets.weights()[0], std::sqrt(5) / (1 + std::sqrt(5)), 1e-5);
}

// What a Bayesian average is bound to: of every sequence, all but log(opinions) of the best.
TEST(Opinions, AreTogetherNearlyAsGoodAsTheBestOfThemOnEverySequence) {
  DrawnLogits large(40, 1), tuned(40, 2), base(40, 3);
  const std::vector<Opinion> opinions = {{1, 0, 0}, {0, 1, 0}, {1, 1, -1}};
  const Prompts prompts = drawn_prompts(40, 20, 6);
  const auto losses = [&](const std::vector<Opinion>& of) {
    ContextMixture mixture(large, tuned, base, {of, 1, 1e-7f});
    const std::vector<float> rows = next_log_probs(mixture, prompts);
    std::vector<double> found(6);  // the last row's target is the next sequence's: left out
    for (std::size_t i = 0; i < rows.size(); ++i)
      if (i % 20 != 19) found[i / 20] -= static_cast<double>(rows[i]);
    return found;
  };
  const std::vector<double> together = losses(opinions);
  for (const Opinion& one : opinions) {
    const std::vector<double> alone = losses({one});
    for (std::size_t s = 0; s < alone.size(); ++s)
      EXPECT_LT(together[s], alone[s] + std::log(3) + 1e-3) << s;
  }
}

// Token by token while a text is written, and over a whole sequence.
TEST(Opinions, WritingWeighsThemAsReadingDoes) {
  ModelConfig config;
  config.vocab_size = 40;
  config.hidden_size = 16;
  config.intermediate_size = 32;
  config.layers = config.heads = config.kv_heads = 2;
  config.head_dim = 8;
  config.max_positions = 32;
  config.tied_embeddings = true;
  const auto model = [&](std::uint64_t seed) {
    return load_transformer(config, random_weights(config, Dtype::kF32, seed, 0.5f),
                            Precision::kF32)
        .value();
  };
  const Transformer of_large = model(1), of_small = model(2);
  const AdapterSpec spec{4, 8};
  const Layout layout = adapter_layout(config, spec).value();
  std::vector<float> values = initial_adapter(layout, 3);
  Rng rng(4);
  for (float& value : values) value += 0.3f * (static_cast<float>(rng.uniform()) - 0.5f);
  const Lora none, lora(config, layout, values.data(), nullptr, false, false);
  ModelLogits large(of_large, none), tuned(of_small, lora), base(of_small, none);
  ContextMixture mixture(large, tuned, base, {});
  const std::vector<TokenId> ids = drawn_prompts(40, 20, 1).ids;
  const std::vector<float> read = logits_of(mixture, batch_of_ids(1, ids));
  const Writer writer = proxy_writer({of_large, none, of_small, lora, 1, true}).value();
  const FeedTokens feed = writer.open(32);
  std::size_t fed = 0;
  for (const std::size_t count : {7u, 1u, 1u, 11u}) {
    const Result<const float*> z = feed(std::span(ids).subspan(fed, count));
    ASSERT_TRUE(z);
    fed += count;
    for (std::size_t id = 0; id < 40; ++id)
      EXPECT_NEAR((*z)[id], read[(fed - 1) * 40 + id], 2e-3) << fed;
  }
}

TEST(Opinions, BadPlansAreRefused) {
  EXPECT_TRUE(check_mixture({}));
  EXPECT_FALSE(check_mixture({{}, 1, 0.1f}));
  EXPECT_FALSE(check_mixture({{{1, NAN, 0}}, 1, 0.1f}));
  EXPECT_FALSE(check_mixture({{{1, 0, 0}}, 1.5f, 0.1f}));
  EXPECT_FALSE(check_mixture({{{1, 0, 0}}, 1, 0}));
}

TEST(Alignment, EditDistancesAreLevenshteins) {
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3);
  EXPECT_EQ(edit_distance("", "abc"), 3);
  EXPECT_EQ(edit_distance("abc", "abc"), 0);
  EXPECT_EQ(edit_distance("flaw", "lawn"), edit_distance("lawn", "flaw"));
}

TEST(Alignment, TokensThatStandForEachOtherAreFound) {
  EXPECT_EQ(align_tokens({"Once", " upon", " a"}, {"Once", " upon", " a"}),
            (std::vector<int>{0, 1, 2}));
  EXPECT_EQ(align_tokens({"On", "ce", " upon"}, {"Once", " upon"}), (std::vector<int>{-1, 2}));
  EXPECT_EQ(align_tokens({"Once", " upon"}, {"On", "ce", " upon"}), (std::vector<int>{-1, -1, 1}));
  EXPECT_EQ(align_tokens({"colour", "s"}, {"color", "s"}), (std::vector<int>{0, 1}));
  EXPECT_EQ(align_tokens({}, {"a"}), std::vector<int>{-1});
}

Tokenizer tokenizer_of(const std::string& text, int vocab) {
  const std::vector<std::string> texts{text};
  return Tokenizer::parse(train_byte_level_bpe(texts, vocab).value(), "trained").value();
}

constexpr const char* kText =
    "the cat sat on the mat and the rat sat on the cat that sat near another brown dog which "
    "barked loudly at its master while the other animals of that small house were sleeping ";
constexpr int kBytesAlone = 259, kWithWords = 280;

TEST(Alignment, VocabulariesMeetAtTheSameBytesOrTheFewestEdits) {
  const Tokenizer bytes = tokenizer_of(kText, kBytesAlone), words = tokenizer_of(kText, kWithWords);
  const std::vector<TokenId> own = vocabulary_map(words, words), to = vocabulary_map(words, bytes);
  for (TokenId id = 0; id < words.vocab_size(); ++id) {
    if (words.is_special(id)) continue;
    EXPECT_EQ(own[static_cast<std::size_t>(id)], id);
    const TokenId found = to[static_cast<std::size_t>(id)];
    ASSERT_GE(found, 0);
    if (words.bytes_of(id).size() > 1) {
      EXPECT_NE(words.bytes_of(id).find(bytes.bytes_of(found)), std::string_view::npos);
    }
  }
  EXPECT_EQ(to[static_cast<std::size_t>(words.bos_id())], -1);
}

TEST(ForeignLogits, OfTheSameTokenizerAreTheModelsOwn) {
  const Tokenizer words = tokenizer_of(kText, kWithWords);
  const std::vector<TokenId> ids = words.encode_plain("the cat sat on the mat", false);
  VocabularyBridge bridge(words, words);
  for (const Hearing hearing : {Hearing::kBytes, Hearing::kAligned}) {
    DrawnLogits own(words.vocab_size(), 4);
    ForeignLogits foreign(own, bridge, hearing);
    const std::vector<float> heard = logits_of(foreign, batch_of_ids(1, ids));
    std::vector<float> z(ids.size() * static_cast<std::size_t>(own.vocab()) +
                         static_cast<std::size_t>(own.vocab()));
    own.rows(0, std::ssize(ids) + 1, z.data());  // row 0 is about what follows BOS
    for (std::size_t row = 0; row + 1 < ids.size(); ++row) {
      EXPECT_TRUE(foreign.speaks(static_cast<std::int64_t>(row)));
      const std::size_t at = row * kWithWords, of_own = (row + 1) * kWithWords;
      const float shift = heard[at + 100] - z[of_own + 100];
      for (std::size_t id = 3; id < kWithWords; ++id)
        EXPECT_NEAR(heard[at + id] - z[of_own + id], shift, 1e-3) << row << " " << id;
    }
  }
}

// The first byte of the next token, and within a token its next byte given those before.
TEST(ForeignLogits, OfShorterTokensAreSumsOverThoseThatBeginSo) {
  const Tokenizer bytes = tokenizer_of(kText, kBytesAlone), words = tokenizer_of(kText, kWithWords);
  const std::string text = "the cat";
  const std::vector<TokenId> asked = bytes.encode_plain(text, false),
                             read = words.encode_plain(text, false);
  VocabularyBridge bridge(words, bytes);
  DrawnLogits own(words.vocab_size(), 4);
  ForeignLogits foreign(own, bridge, Hearing::kBytes);
  const std::vector<float> heard = logits_of(foreign, batch_of_ids(1, asked));
  std::vector<float> z((read.size() + 1) * kWithWords);
  own.rows(0, std::ssize(read) + 1, z.data());
  std::size_t token = 0, begin = 0, spoken = 0;
  for (std::size_t row = 0; row < asked.size(); ++row) {
    while (token < read.size() && begin + words.bytes_of(read[token]).size() <= row + 1)
      begin += words.bytes_of(read[token++]).size();
    const std::string written = text.substr(begin, row + 1 - begin);
    std::vector<double> mass(static_cast<std::size_t>(bytes.vocab_size()));
    double all = 0;
    for (TokenId id = 3; id < kWithWords; ++id) {
      const std::string_view piece = words.bytes_of(id);
      if (!piece.starts_with(written) || piece.size() == written.size()) continue;
      const double p =
          std::exp(static_cast<double>(z[token * kWithWords + static_cast<std::size_t>(id)]));
      const auto first = bytes.encode_plain(piece.substr(written.size(), 1), false);
      all += p;
      if (first.size() == 1) mass[static_cast<std::size_t>(first[0])] += p;
    }
    double total = 0;
    for (std::size_t id = 0; id < kWithWords; ++id)
      total += std::exp(static_cast<double>(z[token * kWithWords + id]));
    const bool likely = all > 1e-3 * total;  // else it would not have cut the text like this
    ASSERT_EQ(foreign.speaks(static_cast<std::int64_t>(row)), likely) << row;
    spoken += likely ? 1 : 0;
    if (!likely) continue;
    for (const char c : std::string("abcht "))
      EXPECT_NEAR(
          std::exp(heard[row * kBytesAlone + static_cast<std::size_t>(
                                                 bytes.encode_plain(std::string(1, c), false)[0])]),
          std::max(1e-9,
                   mass[static_cast<std::size_t>(bytes.encode_plain(std::string(1, c), false)[0])] /
                       all),
          1e-5)
          << row << " '" << c << "'";
  }
  EXPECT_GT(spoken, 3u);
}

TEST(ForeignLogits, AreSilentWhereTokensDoNotStandForEachOther) {
  const Tokenizer bytes = tokenizer_of(kText, kBytesAlone), words = tokenizer_of(kText, kWithWords);
  const std::vector<TokenId> asked = bytes.encode_plain("the cat x", false);
  VocabularyBridge bridge(words, bytes);
  DrawnLogits own(words.vocab_size(), 4);
  ForeignLogits foreign(own, bridge, Hearing::kAligned);
  const std::vector<float> heard = logits_of(foreign, batch_of_ids(1, asked));
  int silent = 0;
  for (std::size_t row = 0; row < asked.size(); ++row) {
    if (foreign.speaks(static_cast<std::int64_t>(row))) continue;
    ++silent;
    for (std::size_t id = 0; id < kBytesAlone; ++id) EXPECT_EQ(heard[row * kBytesAlone + id], 0);
  }
  EXPECT_GT(silent, 3);
  EXPECT_LT(silent, 9);  // the last token of each is one byte
}

}  // namespace
}  // namespace freshet
