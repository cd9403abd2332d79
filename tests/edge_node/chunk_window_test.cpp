#include "edge_node/chunk_window.h"

#include <gtest/gtest.h>

#include "base/limits.h"
#include "base/rng.h"

namespace freshet {
namespace {

constexpr std::uint64_t kChunk = limits::kChunkBytes;
using Offsets = std::vector<std::uint64_t>;

TEST(ChunkWindow, KeepsAsManyChunksUnderWayAsThereIsCreditFor) {
  const std::uint64_t size = 5 * kChunk + 7;
  ChunkWindow window;
  EXPECT_EQ(window.next(size), Offsets{0});
  EXPECT_TRUE(window.take_ack(kChunk, 3, size));
  EXPECT_EQ(window.next(size), (Offsets{kChunk, 2 * kChunk, 3 * kChunk}));
  EXPECT_EQ(window.next(size), Offsets{});
  EXPECT_TRUE(window.take_ack(2 * kChunk, 3, size));
  EXPECT_EQ(window.next(size), Offsets{4 * kChunk});
  EXPECT_TRUE(window.take_ack(4 * kChunk, 3, size));
  EXPECT_EQ(window.next(size), Offsets{5 * kChunk});
  EXPECT_FALSE(window.take_ack(4 * kChunk, 3, size)) << "the same again";
  EXPECT_TRUE(window.take_ack(size, 3, size));
  EXPECT_EQ(window.next(size), Offsets{});
}

TEST(ChunkWindow, TakesNoMoreCreditThanIsSafe) {
  ChunkWindow window;
  window.take_ack(kChunk, 4'000'000'000, 100 * kChunk);
  EXPECT_EQ(window.next(100 * kChunk).size(), limits::kChunkCreditMax);
  window.take_ack(2 * kChunk, 0, 100 * kChunk);
  EXPECT_EQ(window.credit, 1u) << "an older coordinator gives none";
}

// All arrived and the acknowledgements were lost: one chunk more has travelled in the end.
TEST(ChunkWindow, ALostAcknowledgementCostsOneChunk) {
  const std::uint64_t size = 10 * kChunk;
  ChunkWindow window{0, 0, 4};
  EXPECT_EQ(window.next(size).size(), 4u);
  EXPECT_EQ(window.ask_again(size), 0u);
  EXPECT_TRUE(window.take_ack(4 * kChunk, 4, size));
  EXPECT_EQ(window.next(size), (Offsets{4 * kChunk, 5 * kChunk, 6 * kChunk, 7 * kChunk}));
}

TEST(ChunkWindow, AfterAReconnectionWhatWasUnderWayIsSentAgain) {
  const std::uint64_t size = 10 * kChunk;
  ChunkWindow window{kChunk, kChunk, 4};
  EXPECT_EQ(window.next(size).size(), 4u);
  window.connection_lost();
  EXPECT_EQ(window.ask_again(size), kChunk);
  EXPECT_EQ(window.sent, 2 * kChunk) << "one asks; the others wait for what it is answered";
  EXPECT_TRUE(window.take_ack(2 * kChunk, 4, size));
  EXPECT_EQ(window.next(size).front(), 2 * kChunk);
}

TEST(ChunkWindow, GoesBackWhereTheOtherSideLostWhatItHad) {
  const std::uint64_t size = 10 * kChunk;
  ChunkWindow window{6 * kChunk, 8 * kChunk, 2};
  EXPECT_TRUE(window.take_ack(2 * kChunk, 2, size));
  EXPECT_EQ(window.next(size), (Offsets{2 * kChunk, 3 * kChunk}));
}

// A line that keeps order, loses whole connections and single answers, before a receiver that
// takes chunks in order: always ends, and what travels twice is bounded by what was lost.
TEST(ChunkWindow, EndsOverAnyNumberOfReconnections) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    Rng rng(seed, 0);
    const std::uint64_t chunks = 1 + rng.below(60),
                        size = (chunks - 1) * kChunk + 1 + rng.below(kChunk);
    ChunkWindow window;
    std::vector<std::uint64_t> line;  // under way
    std::uint64_t staged = 0, sent = 0, losses = 0;
    for (int turn = 0; staged < size; ++turn) {
      ASSERT_LT(turn, 10'000) << "seed " << seed;
      for (const std::uint64_t offset : window.next(size)) line.push_back(offset), ++sent;
      if (rng.below(10) == 0) {
        line.clear(), ++losses;
        window.connection_lost();
      }
      if (line.empty()) {
        line.push_back(window.ask_again(size)), ++sent;
        continue;
      }
      const std::uint64_t offset = line.front();
      line.erase(line.begin());
      if (offset == staged) staged = std::min(size, staged + kChunk);
      if (rng.below(8) == 0) {
        ++losses;  // of the answer
      } else {
        window.take_ack(staged, static_cast<std::uint32_t>(1 + rng.below(8)), size);
      }
    }
    EXPECT_LE(sent, chunks + (losses + 1) * (limits::kChunkCreditMax + 1)) << "seed " << seed;
  }
}

}  // namespace
}  // namespace freshet
