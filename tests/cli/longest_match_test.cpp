#include "cli/demo/longest_match.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/rng.h"

namespace freshet::demo {
namespace {

std::size_t naive(const std::vector<Bytes>& patterns, const std::vector<Bytes>& texts) {
  std::size_t best = 0;
  for (const Bytes& pattern : patterns)
    for (const Bytes& text : texts)
      for (std::size_t i = 0; i < pattern.size(); ++i)
        for (std::size_t j = 0; j < text.size(); ++j) {
          std::size_t run = 0;
          while (i + run < pattern.size() && j + run < text.size() &&
                 pattern[i + run] == text[j + run])
            ++run;
          best = std::max(best, run);
        }
  return best;
}

Bytes random_bytes(Rng& rng, std::size_t size, unsigned letters) {
  Bytes bytes(size);
  for (auto& byte : bytes) byte = static_cast<std::uint8_t>(rng.below(letters));
  return bytes;
}

TEST(LongestMatch, AgreesWithTheNaiveSearch) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(seed);
    Rng rng(seed);
    unsigned letters = 2 + static_cast<unsigned>(rng.below(6));
    std::vector<Bytes> patterns, texts;
    for (int i = 0; i < 3; ++i) patterns.push_back(random_bytes(rng, rng.below(80), letters));
    for (int i = 0; i < 2; ++i) texts.push_back(random_bytes(rng, rng.below(120), letters));
    LongestMatch match(std::vector<ByteView>(patterns.begin(), patterns.end()));
    for (const Bytes& text : texts) match.scan(text);
    EXPECT_EQ(match.bytes(), naive(patterns, texts));
  }
}

TEST(LongestMatch, NeverCrossesFromOnePatternIntoTheNext) {
  std::vector<ByteView> patterns = {as_bytes("abcd"), as_bytes("efgh")};
  LongestMatch match(patterns);
  EXPECT_TRUE(match.scan(as_bytes("abcdefgh")));
  EXPECT_EQ(match.bytes(), 4u);
}

TEST(LongestMatch, SaysWhichPatternHadIt) {
  std::vector<ByteView> patterns = {as_bytes("one thing"), as_bytes("another thing entirely")};
  LongestMatch match(patterns);
  match.scan(as_bytes("..thing entirely.."));
  EXPECT_EQ(match.pattern(), 1u);
  EXPECT_EQ(match.bytes(), 14u);
}

TEST(LongestMatch, RunsNoLongerThanKnownAreNotNews) {
  std::vector<ByteView> patterns = {as_bytes("0123456789")};
  LongestMatch match(patterns, 5);
  EXPECT_FALSE(match.scan(as_bytes("..01234..")));
  EXPECT_EQ(match.bytes(), 5u);
  EXPECT_TRUE(match.scan(as_bytes("..012345..")));
  EXPECT_EQ(match.bytes(), 6u);
}

}  // namespace
}  // namespace freshet::demo
