#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/json.h"
#include "base/rng.h"
#include "model/tokenizer/byte_level.h"
#include "model/tokenizer/tokenizer.h"

namespace freshet {
namespace {

const std::vector<std::string> kTexts = {
    "the river runs and the rivers run on and on; the runner ran along the running river. aaaaaaa "
    "aaaa aaaaaaaaaaa",
    "there is the other thing: nothing in the river is the thing that runs. aaa aaaaa "
    "A small boat carries seven travellers over the river in the morning, and back over the river "
    "in the evening; seven travellers carry the small boat over the stones. Whether the boat "
    "carries them or they carry the boat, morning and evening come and go, and the stones of the "
    "river stay where the water has put them. \xFF\xFE \xFF\xFE "
    "\xFF\xFE\xFF\xFE \xFF\xFE",
};

// The definition: count all pairs of all words again before every merge.
std::vector<std::pair<TokenId, TokenId>> train_slowly(const std::vector<std::string>& texts,
                                                      int merges) {
  std::vector<std::vector<TokenId>> words;
  const WordSplitter splitter;
  for (const std::string& text : texts)
    splitter.split(text, [&](std::string_view word) {
      auto& ids = words.emplace_back();
      for (char c : word) ids.push_back(3 + static_cast<unsigned char>(c));
    });
  std::vector<std::pair<TokenId, TokenId>> chosen;
  for (int m = 0; m < merges; ++m) {
    std::map<std::pair<TokenId, TokenId>, int> counts;
    for (const auto& word : words)
      for (std::size_t i = 0; i + 1 < word.size(); ++i) ++counts[{word[i], word[i + 1]}];
    auto best = counts.begin();
    for (auto at = counts.begin(); at != counts.end(); ++at)
      if (at->second > best->second) best = at;
    chosen.push_back(best->first);
    for (auto& word : words)
      for (std::size_t i = 0; i + 1 < word.size(); ++i)
        if (word[i] == best->first.first && word[i + 1] == best->first.second) {
          word[i] = 259 + m;
          word.erase(word.begin() + static_cast<std::ptrdiff_t>(i) + 1);
        }
  }
  return chosen;
}

TEST(BpeTraining, ChoosesTheMergesOfTheDefinition) {
  constexpr int kMerges = 40;
  const auto json = train_byte_level_bpe(kTexts, 259 + kMerges);
  ASSERT_TRUE(json) << json.error().what;
  const Json file = *parse_json(*json, "trained");
  std::map<int, std::string> token_of;
  for (const auto& [token, id] : file["model"]["vocab"].items()) token_of[id.get<int>()] = token;
  ASSERT_EQ(token_of.size(), 259u + kMerges);
  EXPECT_EQ(token_of[0] + token_of[1] + token_of[2], "<unk><s></s>");
  const auto expected = train_slowly(kTexts, kMerges);
  for (int m = 0; m < kMerges; ++m) {
    const auto [left, right] = expected[static_cast<std::size_t>(m)];
    EXPECT_EQ(file["model"]["merges"][static_cast<std::size_t>(m)],
              token_of[left] + " " + token_of[right])
        << m;
    EXPECT_EQ(token_of[259 + m], token_of[left] + token_of[right]) << m;
  }
}

TEST(BpeTraining, GivesATokenizerThatWritesEveryByte) {
  const auto json = train_byte_level_bpe(kTexts, 300);
  ASSERT_TRUE(json);
  const auto tokenizer = Tokenizer::parse(*json, "trained");
  ASSERT_TRUE(tokenizer) << tokenizer.error().what;
  EXPECT_EQ(tokenizer->vocab_size(), 300);
  EXPECT_EQ(tokenizer->bos_id(), 1);
  EXPECT_EQ(tokenizer->eos_id(), 2);
  EXPECT_EQ(tokenizer->encode("", true), std::vector<TokenId>{1});
  EXPECT_EQ(tokenizer->encode("\xFF\xFE", false).size(),
            1u);  // a pair of the text, though no UTF-8
  EXPECT_LT(tokenizer->encode(kTexts[0], false).size(), kTexts[0].size() / 2);
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    Rng rng(seed);
    std::string text(rng.below(50), ' ');
    for (char& c : text) c = static_cast<char>(rng.below(256));
    ASSERT_EQ(tokenizer->decode(tokenizer->encode(text, false)), text) << "seed " << seed;
  }
}

TEST(BpeTraining, IsDeterministic) {
  EXPECT_EQ(*train_byte_level_bpe(kTexts, 290), *train_byte_level_bpe(kTexts, 290));
}

TEST(BpeTraining, RefusesAVocabularyThatTheTextCannotFill) {
  EXPECT_NE(train_byte_level_bpe(kTexts, 5000).error().what.find("the text gives only"),
            std::string::npos);
  EXPECT_FALSE(train_byte_level_bpe(kTexts, 258));
  EXPECT_FALSE(train_byte_level_bpe(kTexts, 1 << 21));
  EXPECT_FALSE(train_byte_level_bpe({}, 260));
  EXPECT_TRUE(train_byte_level_bpe({}, 259));
}

}  // namespace
}  // namespace freshet
