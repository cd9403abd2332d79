#include "model/tokenizer/bpe.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <functional>
#include <limits>

#include "base/check.h"

namespace freshet {
namespace {

std::uint64_t pair_of(TokenId left, TokenId right) {
  return std::uint64_t{static_cast<std::uint32_t>(left)} << 32 | static_cast<std::uint32_t>(right);
}

constexpr TokenId kGone = std::numeric_limits<TokenId>::min();

}  // namespace

MergeTable::MergeTable(std::vector<MergeRule> rules) : rules_(std::move(rules)) {
  slots_.assign(std::bit_ceil(2 * rules_.size() + 2), {0, -1});
  for (std::size_t rank = 0; rank < rules_.size(); ++rank) {
    const std::uint64_t pair = pair_of(rules_[rank].left, rules_[rank].right);
    slots_[slot_of(pair)] = {pair, static_cast<std::int32_t>(rank)};
  }
}

std::size_t MergeTable::slot_of(std::uint64_t pair) const {
  const std::size_t mask = slots_.size() - 1;
  std::uint64_t hash = pair * 0x9E3779B97F4A7C15u;
  hash ^= hash >> 32;
  std::size_t slot = hash & mask;
  while (slots_[slot].rank >= 0 && slots_[slot].pair != pair) slot = (slot + 1) & mask;
  return slot;
}

std::int32_t MergeTable::rank(TokenId left, TokenId right) const {
  return slots_.empty() ? -1 : slots_[slot_of(pair_of(left, right))].rank;
}

void Merger::offer(const MergeTable& table, const std::vector<TokenId>& symbols, std::int32_t at) {
  const std::int32_t right = next_[static_cast<std::size_t>(at)];
  if (right < 0) return;
  const std::int32_t rank =
      table.rank(symbols[static_cast<std::size_t>(at)], symbols[static_cast<std::size_t>(right)]);
  if (rank < 0) return;
  heap_.push_back(std::uint64_t{static_cast<std::uint32_t>(rank)} << 32 |
                  static_cast<std::uint32_t>(at));
  std::push_heap(heap_.begin(), heap_.end(), std::greater<>());
}

void Merger::merge(const MergeTable& table, std::vector<TokenId>& symbols) {
  if (symbols.size() < 2) return;
  if (symbols.size() <= kShortWord)
    merge_short(table, symbols);
  else
    merge_long(table, symbols);
}

void Merger::merge_short(const MergeTable& table, std::vector<TokenId>& symbols) {
  constexpr std::int32_t kNone = std::numeric_limits<std::int32_t>::max();
  std::int32_t ranks[kShortWord];  // of each symbol with the next
  std::size_t count = symbols.size();
  const auto rank = [&](std::size_t at) {
    const std::int32_t found = table.rank(symbols[at], symbols[at + 1]);
    return found < 0 ? kNone : found;
  };
  for (std::size_t i = 0; i + 1 < count; ++i) ranks[i] = rank(i);
  while (count > 1) {
    const auto best = static_cast<std::size_t>(std::min_element(ranks, ranks + count - 1) - ranks);
    if (ranks[best] == kNone) break;
    symbols[best] = table.product(ranks[best]);
    --count;
    for (std::size_t i = best + 1; i < count; ++i) {
      symbols[i] = symbols[i + 1];
      ranks[i - 1] = ranks[i];
    }
    if (best > 0) ranks[best - 1] = rank(best - 1);
    if (best + 1 < count) ranks[best] = rank(best);
  }
  symbols.resize(count);
}

void Merger::merge_long(const MergeTable& table, std::vector<TokenId>& symbols) {
  CHECK(symbols.size() < std::size_t{std::numeric_limits<std::int32_t>::max()}, "{}",
        symbols.size());
  const auto count = static_cast<std::int32_t>(symbols.size());
  previous_.resize(symbols.size());
  next_.resize(symbols.size());
  heap_.clear();
  for (std::int32_t i = 0; i < count; ++i) {
    previous_[static_cast<std::size_t>(i)] = i - 1;
    next_[static_cast<std::size_t>(i)] = i + 1 < count ? i + 1 : -1;
  }
  for (std::int32_t i = 0; i + 1 < count; ++i) offer(table, symbols, i);

  while (!heap_.empty()) {
    std::pop_heap(heap_.begin(), heap_.end(), std::greater<>());
    const auto at = static_cast<std::size_t>(heap_.back() & 0xFFFFFFFFu);
    const TokenId product = table.product(static_cast<std::int32_t>(heap_.back() >> 32));
    heap_.pop_back();
    if (symbols[at] == kGone || next_[at] < 0) continue;
    const auto right = static_cast<std::size_t>(next_[at]);
    const std::int32_t rank = table.rank(symbols[at], symbols[right]);
    if (rank < 0 || table.product(rank) != product)
      continue;  // a neighbour has changed since it was offered
    symbols[at] = product;
    symbols[right] = kGone;
    next_[at] = next_[right];
    if (next_[at] >= 0)
      previous_[static_cast<std::size_t>(next_[at])] = static_cast<std::int32_t>(at);
    if (previous_[at] >= 0) offer(table, symbols, previous_[at]);
    offer(table, symbols, static_cast<std::int32_t>(at));
  }
  std::erase(symbols, kGone);
}

std::size_t WordCache::slot_of(std::string_view word) {
  std::uint64_t hash = word.size();
  for (std::size_t at = 0; at < word.size(); at += 8) {
    std::uint64_t part = 0;
    std::memcpy(&part, word.data() + at, std::min<std::size_t>(8, word.size() - at));
    hash = (hash ^ part) * 0x9E3779B97F4A7C15u;
    hash ^= hash >> 32;
  }
  return hash % kSlots;
}

bool WordCache::append(std::string_view word, std::vector<TokenId>& ids) const {
  if (slots_.empty() || word.size() > kBytesMax || word.empty()) return false;
  const Slot& slot = slots_[slot_of(word)];
  if (slot.word_bytes != word.size() || std::memcmp(slot.data, word.data(), word.size()) != 0)
    return false;
  if (slot.ids == 0) return true;
  const std::size_t size = ids.size();
  ids.resize(size + slot.ids);
  std::memcpy(ids.data() + size, slot.data + word.size(), slot.ids * sizeof(TokenId));
  return true;
}

void WordCache::put(std::string_view word, const std::vector<TokenId>& ids) {
  if (word.empty() || word.size() + ids.size() * sizeof(TokenId) > kBytesMax) return;
  if (slots_.empty()) slots_.resize(kSlots);
  Slot& slot = slots_[slot_of(word)];
  slot.word_bytes = static_cast<std::uint8_t>(word.size());
  slot.ids = static_cast<std::uint8_t>(ids.size());
  std::memcpy(slot.data, word.data(), word.size());
  if (!ids.empty()) std::memcpy(slot.data + word.size(), ids.data(), ids.size() * sizeof(TokenId));
}

}  // namespace freshet
