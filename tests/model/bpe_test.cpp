#include "model/tokenizer/bpe.h"

#include <gtest/gtest.h>

#include "base/rng.h"
#include "model/tokenizer/added_tokens.h"

namespace freshet {
namespace {

// The definition: again and again the leftmost place of the lowest rank.
std::vector<TokenId> merge_slowly(const std::vector<MergeRule>& rules,
                                  std::vector<TokenId> symbols) {
  for (;;) {
    std::size_t best_rank = rules.size(), best = 0;
    for (std::size_t i = 0; i + 1 < symbols.size(); ++i)
      for (std::size_t rank = 0; rank < best_rank; ++rank)
        if (rules[rank].left == symbols[i] && rules[rank].right == symbols[i + 1]) {
          best_rank = rank;
          best = i;
        }
    if (best_rank == rules.size()) return symbols;
    symbols[best] = rules[best_rank].product;
    symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(best) + 1);
  }
}

TEST(Bpe, MergesAsTheDefinitionDoes) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    Rng rng(seed);
    std::vector<MergeRule> rules;
    TokenId next = 4;
    for (int i = 0; i < 20; ++i) {
      const MergeRule rule{static_cast<TokenId>(rng.below(static_cast<std::uint64_t>(next))),
                           static_cast<TokenId>(rng.below(static_cast<std::uint64_t>(next))), next};
      bool fresh = true;
      for (const MergeRule& other : rules)
        fresh = fresh && (other.left != rule.left || other.right != rule.right);
      if (!fresh) continue;
      rules.push_back(rule);
      ++next;
    }
    const MergeTable table(rules);
    Merger merger;
    for (int i = 0; i < 20; ++i) {
      std::vector<TokenId> symbols(rng.below(40));
      for (TokenId& symbol : symbols) symbol = static_cast<TokenId>(rng.below(4));
      const std::vector<TokenId> expected = merge_slowly(rules, symbols);
      merger.merge(table, symbols);
      ASSERT_EQ(symbols, expected) << "seed " << seed;
    }
  }
}

TEST(Bpe, OfTwoRulesForOnePairTheLaterCounts) {
  const MergeTable table({{0, 1, 2}, {5, 6, 7}, {0, 1, 3}});
  EXPECT_EQ(table.rank(0, 1), 2);
  EXPECT_EQ(table.product(2), 3);
  EXPECT_EQ(table.rank(1, 0), -1);
  EXPECT_EQ(MergeTable().rank(0, 1), -1);
}

// Quadratic merging of this word would take hours.
TEST(Bpe, MergesAWordOfAMillionSymbols) {
  std::vector<MergeRule> rules;
  for (TokenId i = 0; i < 10; ++i) rules.push_back({i, i, i + 1});
  std::vector<TokenId> symbols(1'000'000, 0);
  Merger().merge(MergeTable(rules), symbols);
  std::vector<TokenId> expected(1'000'000 / 1024, 10);  // the rest, 576 = 512 + 64
  expected.push_back(9);
  expected.push_back(6);
  EXPECT_EQ(symbols, expected);
}

TEST(WordCache, ForgetsLongWordsAndKeepsShortOnes) {
  WordCache cache;
  std::vector<TokenId> ids = {7};
  EXPECT_FALSE(cache.append("word", ids));
  cache.put("word", {1, 2});
  ASSERT_TRUE(cache.append("word", ids));
  EXPECT_EQ(ids, (std::vector<TokenId>{7, 1, 2}));
  EXPECT_FALSE(cache.append("ward", ids));
  EXPECT_FALSE(cache.append("", ids));
  const std::string fits(WordCache::kBytesMax - 4, 'a'), longer(WordCache::kBytesMax - 3, 'a');
  cache.put(fits, {3});
  cache.put(longer, {3});
  EXPECT_TRUE(cache.append(fits, ids));
  EXPECT_FALSE(cache.append(longer, ids));
  cache.put("nothing", {});  // a word that the vocabulary cannot write
  EXPECT_TRUE(cache.append("nothing", ids));
  EXPECT_EQ(ids.size(), 4u);
}

TEST(AddedTokens, CutsAtTheLeftmostLongest) {
  AddedTokens added;
  added.add("<s>", 1);
  added.add("--", 2);
  added.add("----", 3);
  std::string log;
  added.cut(
      "a<s>-----<s <s><s>end-",
      [&](std::string_view piece) { log += "[" + std::string(piece) + "]"; },
      [&](TokenId id) { log += std::to_string(id); });
  EXPECT_EQ(log, "[a]13[-<s ]11[end-]");
  EXPECT_EQ(added.at_start("---").bytes, 2u);
  EXPECT_EQ(added.at_start("-x").bytes, 0u);
}

}  // namespace
}  // namespace freshet
