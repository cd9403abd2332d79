#include "model/text/packing.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "base/rng.h"

namespace freshet {
namespace {

// Documents of random lengths; every id is its own index, so that a piece shows where it came from.
TokenStream random_stream(Rng& rng, bool counted) {
  TokenStream stream;
  const std::size_t documents = rng.below(40);
  for (std::size_t d = 0; d < documents; ++d) {
    std::vector<TokenId> ids(1 + rng.below(rng.below(10) == 0 ? 200 : 20));
    std::iota(ids.begin(), ids.end(), static_cast<TokenId>(stream.size()));
    std::vector<std::uint8_t> counts;
    if (counted && rng.below(4) > 0)
      for (std::size_t i = 0; i < ids.size(); ++i) counts.push_back(rng.below(3) == 0 ? 1 : 0);
    stream.append(ids, counts, ids.size());
  }
  check_stream(stream);
  return stream;
}

std::size_t document_of(const TokenStream& stream, std::size_t index) {
  return static_cast<std::size_t>(
      std::upper_bound(stream.starts.begin(), stream.starts.end(), index) - stream.starts.begin());
}

TEST(TokenStream, CountsStartWithTheFirstDocumentThatHasThem) {
  TokenStream stream;
  stream.append(std::vector<TokenId>{1, 2}, {}, 2);
  EXPECT_TRUE(stream.counts.empty());
  stream.append(std::vector<TokenId>{3, 4, 5}, std::vector<std::uint8_t>{0, 0, 1}, 1);
  stream.append({}, {}, 9);
  stream.append(std::vector<TokenId>{6, 7}, {}, 2);
  EXPECT_EQ(stream.counts, (std::vector<std::uint8_t>{1, 1, 0, 0, 1, 1, 1}));
  EXPECT_EQ(stream.starts, (std::vector<std::size_t>{0, 2, 5}));
  EXPECT_EQ(stream.end_of(1), 5u);
  EXPECT_EQ(stream.end_of(2), 7u);
  EXPECT_EQ(stream.bytes, 5u);
  EXPECT_EQ(targets_of(stream), 3u);  // 2, 5 and 7
}

TEST(Packing, EveryTargetStandsInExactlyOnePieceOfItsOwnDocument) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    Rng rng(seed);
    const TokenStream stream = random_stream(rng, seed % 2 == 0);
    const int window = 2 + static_cast<int>(rng.below(30));
    const std::vector<PackedRow> rows = pack(stream, window);
    std::vector<int> seen(stream.size());
    for (const PackedRow& row : rows) {
      ASSERT_FALSE(row.pieces.empty());
      int length = 0;
      for (const Piece& piece : row.pieces) {
        length += piece.length;
        ASSERT_GT(piece.length, 0);
        const std::size_t last = piece.first + static_cast<std::size_t>(piece.length);
        ASSERT_LT(last, stream.size());
        EXPECT_EQ(document_of(stream, piece.first), document_of(stream, last)) << "seed " << seed;
        for (std::size_t i = piece.first + 1; i <= last; ++i) ++seen[i];
      }
      EXPECT_LE(length, window);
    }
    for (std::size_t i = 0; i < stream.size(); ++i) {
      const bool first = std::binary_search(stream.starts.begin(), stream.starts.end(), i);
      if (first || stream.counts_at(i))
        EXPECT_EQ(seen[i], first ? 0 : 1) << "seed " << seed << " index " << i;
      else
        EXPECT_LE(seen[i], 1);
    }
    const PackingFigures figures = figures_of(stream, rows, window);
    EXPECT_EQ(figures.targets, targets_of(stream));
    EXPECT_EQ(figures.rows, rows.size());
  }
}

TEST(Packing, ShortDocumentsFillRows) {
  TokenStream stream;
  Rng rng(7);
  for (int d = 0; d < 2000; ++d) stream.append(std::vector<TokenId>(2 + rng.below(100), 1), {}, 1);
  const PackingFigures figures = figures_of(stream, pack(stream, 128), 128);
  EXPECT_LT(figures.padding, 0.03);
  EXPECT_GE(figures.padding, 0);
}

TEST(Packing, LongDocumentsAreCutIntoWindows) {
  TokenStream stream;
  stream.append(std::vector<TokenId>(10, 1), {}, 10);
  stream.append(std::vector<TokenId>(1, 1), {}, 1);  // nothing to predict
  const std::vector<PackedRow> rows = pack(stream, 4);
  ASSERT_EQ(rows.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) {
    ASSERT_EQ(rows[i].pieces.size(), 1u);
    EXPECT_EQ(rows[i].pieces[0].first, 4 * i);
    EXPECT_EQ(rows[i].pieces[0].length, i == 2 ? 1 : 4);
  }
  EXPECT_TRUE(pack(TokenStream(), 4).empty());
}

TEST(Packing, PiecesWithNothingToLearnAreLeftOut) {
  TokenStream stream;
  std::vector<std::uint8_t> counts(20, 0);
  counts[18] = 1;
  stream.append(std::vector<TokenId>(20, 1), counts, 1);
  const std::vector<PackedRow> rows = pack(stream, 8);
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].pieces[0].first, 16u);
  EXPECT_EQ(rows[0].pieces[0].length, 3);
}

TEST(Packing, AnEpochIsAPermutationThatItsSeedFixes) {
  const auto first = epoch_order(100, 5, 0);
  EXPECT_EQ(std::set<std::uint32_t>(first.begin(), first.end()).size(), 100u);
  EXPECT_EQ(*std::max_element(first.begin(), first.end()), 99u);
  EXPECT_EQ(first, epoch_order(100, 5, 0));
  EXPECT_NE(first, epoch_order(100, 5, 1));
  EXPECT_NE(first, epoch_order(100, 6, 0));
  EXPECT_TRUE(epoch_order(0, 5, 0).empty());
}

}  // namespace
}  // namespace freshet
