#pragma once
// The longest run of bytes that a set of patterns and a stream of texts have in common, exactly.
// Holds a hash table of every run of the patterns that is one byte longer than the best so far: a
// text is read once, a hit is verified, extended as far as it goes, and the table is made again for
// the new length.

#include <cstdint>
#include <span>
#include <vector>

#include "base/bytes.h"

namespace freshet::demo {

class LongestMatch {
 public:
  // Runs of at most `known` bytes are of no interest. Runs never cross from one pattern into the
  // next. REQUIRES: less than 4 GiB of patterns
  explicit LongestMatch(std::span<const ByteView> patterns, std::size_t known = 0);

  // True if `text` has a longer run than was known.
  bool scan(ByteView text);

  std::size_t bytes() const { return best_; }       // `known` if nothing longer was found
  std::size_t pattern() const { return pattern_; }  // where it was found

 private:
  void build();
  bool holds(const std::uint8_t* run, std::uint64_t hash) const;
  bool likely(const std::uint8_t* run) const;
  void extend(ByteView from);

  Bytes joined_;
  std::vector<std::size_t> starts_;  // of each pattern in joined_, and the end of the last
  std::size_t best_, pattern_ = 0;
  std::vector<bool>
      pairs_;  // which two bytes follow each other in a pattern: small enough for the fastest cache

  // Of runs of best_ + 1 bytes, each once.
  std::size_t length_ = 0;
  std::uint64_t leaving_ = 0;  // the weight of the byte that leaves a rolling hash
  std::vector<std::uint64_t> filter_;
  std::vector<std::uint32_t> heads_, next_;  // 1 + position in joined_; 0 ends a chain
};

}  // namespace freshet::demo
