#pragma once
// Byte-pair merges (Sennrich et al. 2016): of all neighbours that a rule joins, the rule of the
// lowest rank goes first, from the left. A word of n symbols takes O(n log n).

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/tokenizer/tokenizer.h"

namespace freshet {

struct MergeRule {  // its rank is its place in the list
  TokenId left, right, product;
};

class MergeTable {
 public:
  MergeTable() = default;
  explicit MergeTable(std::vector<MergeRule> rules);  // of two rules for one pair the later counts

  // The rank of the rule that joins the pair, or -1.
  std::int32_t rank(TokenId left, TokenId right) const;
  TokenId product(std::int32_t rank) const {
    return rules_[static_cast<std::size_t>(rank)].product;
  }

 private:
  struct Slot {
    std::uint64_t pair;
    std::int32_t rank;  // -1: empty
  };
  std::size_t slot_of(std::uint64_t pair) const;
  std::vector<MergeRule> rules_;
  std::vector<Slot> slots_;  // open addressing, a power of two, at most half full
};

// Joins symbols in place. Keeps its buffers between words; one for each thread.
class Merger {
 public:
  void merge(const MergeTable& table, std::vector<TokenId>& symbols);

 private:
  static constexpr std::size_t kShortWord = 32;  // symbols; looked through again for every merge
  void merge_short(const MergeTable& table, std::vector<TokenId>& symbols);
  void merge_long(const MergeTable& table, std::vector<TokenId>& symbols);
  void offer(const MergeTable& table, const std::vector<TokenId>& symbols, std::int32_t at);
  std::vector<std::int32_t> previous_, next_;
  std::vector<std::uint64_t> heap_;  // rank, then place
};

// Words already merged: one slot for each hash, the later word replaces the earlier.
class WordCache {
 public:
  // Of a word and its ids (four bytes each) together; a larger word is not kept.
  static constexpr std::size_t kSlots = std::size_t{1} << 16, kBytesMax = 62;
  // Appends the ids of `word` if it is known.
  bool append(std::string_view word, std::vector<TokenId>& ids) const;
  void put(std::string_view word, const std::vector<TokenId>& ids);

 private:
  struct alignas(64) Slot {
    std::uint8_t word_bytes = 0, ids = 0;
    char data[kBytesMax];  // the word, then the ids
  };
  static std::size_t slot_of(std::string_view word);
  std::vector<Slot> slots_;
};

}  // namespace freshet
