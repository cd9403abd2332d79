#include "cli/demo/longest_match.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/check.h"

namespace freshet::demo {
namespace {

constexpr std::uint64_t kBase = 0x9e3779b97f4a7c15;

std::uint64_t hash_of(const std::uint8_t* run, std::size_t length) {
  std::uint64_t hash = 0;
  for (std::size_t i = 0; i < length; ++i) hash = hash * kBase + run[i] + 1;
  return hash;
}

std::size_t pair_at(const std::uint8_t* bytes) { return std::size_t{bytes[0]} << 8 | bytes[1]; }

std::uint64_t mixed(std::uint64_t hash) {
  hash ^= hash >> 32;
  hash *= 0xd6e8feb86659fd93;
  return hash ^ hash >> 29;
}

// Calls visit(position, hash) for each run of `length` bytes until it says false.
template <class Visit>
void roll(ByteView text, std::size_t length, std::uint64_t leaving, Visit visit) {
  if (text.size() < length) return;
  std::uint64_t hash = hash_of(text.data(), length);
  for (std::size_t at = 0;; ++at) {
    if (!visit(at, hash) || at + length >= text.size()) return;
    hash = hash * kBase + text[at + length] + 1 - leaving * (std::uint64_t{text[at]} + 1);
  }
}

}  // namespace

LongestMatch::LongestMatch(std::span<const ByteView> patterns, std::size_t known)
    : best_(known), pairs_(65536) {
  for (ByteView pattern : patterns) {
    starts_.push_back(joined_.size());
    joined_.insert(joined_.end(), pattern.begin(), pattern.end());
  }
  starts_.push_back(joined_.size());
  CHECK(joined_.size() < UINT32_MAX, "{} bytes of patterns", joined_.size());
  for (std::size_t i = 0; i + 1 < joined_.size(); ++i) pairs_[pair_at(&joined_[i])] = true;
  build();
}

void LongestMatch::build() {
  length_ = best_ + 1;
  leaving_ = 1;
  for (std::size_t i = 0; i < length_; ++i) leaving_ *= kBase;
  std::size_t buckets = std::bit_ceil(joined_.size() + 1);
  heads_.assign(buckets, 0);
  next_.assign(joined_.size(), 0);
  filter_.assign(std::max<std::size_t>(buckets / 4, 1), 0);  // 16 bits a bucket
  for (std::size_t i = 0; i + 1 < starts_.size(); ++i) {
    ByteView pattern = ByteView(joined_).subspan(starts_[i], starts_[i + 1] - starts_[i]);
    roll(pattern, length_, leaving_, [&](std::size_t at, std::uint64_t hash) {
      if (holds(pattern.data() + at, hash)) return true;
      std::uint64_t slot = mixed(hash);
      std::uint32_t position = static_cast<std::uint32_t>(starts_[i] + at);
      next_[position] = heads_[slot & (heads_.size() - 1)];
      heads_[slot & (heads_.size() - 1)] = position + 1;
      std::uint64_t bit = slot >> 20 & (filter_.size() * 64 - 1);
      filter_[bit / 64] |= std::uint64_t{1} << (bit % 64);
      return true;
    });
  }
}

bool LongestMatch::likely(const std::uint8_t* run) const {
  return length_ < 2 || (pairs_[pair_at(run)] && pairs_[pair_at(run + length_ - 2)]);
}

bool LongestMatch::holds(const std::uint8_t* run, std::uint64_t hash) const {
  std::uint64_t slot = mixed(hash), bit = slot >> 20 & (filter_.size() * 64 - 1);
  if ((filter_[bit / 64] >> (bit % 64) & 1) == 0) return false;
  for (std::uint32_t at = heads_[slot & (heads_.size() - 1)]; at != 0; at = next_[at - 1])
    if (std::memcmp(joined_.data() + at - 1, run, length_) == 0) return true;
  return false;
}

// The longest run that starts where `from` starts.
void LongestMatch::extend(ByteView from) {
  for (std::size_t i = 0; i + 1 < starts_.size(); ++i) {
    const std::uint8_t *at = joined_.data() + starts_[i], *end = joined_.data() + starts_[i + 1];
    while (at < end) {
      std::size_t enough = best_ + 1;
      if (from.size() < enough) return;
      at = static_cast<const std::uint8_t*>(
          memmem(at, static_cast<std::size_t>(end - at), from.data(), enough));
      if (at == nullptr) break;
      std::size_t most = std::min<std::size_t>(from.size(), static_cast<std::size_t>(end - at));
      std::size_t run = enough;
      while (run < most && at[run] == from[run]) ++run;
      best_ = run;
      pattern_ = i;
      ++at;
    }
  }
}

bool LongestMatch::scan(ByteView text) {
  std::size_t known = best_;
  while (true) {
    std::size_t hit = text.size();
    roll(text, length_, leaving_, [&](std::size_t at, std::uint64_t hash) {
      if (!likely(text.data() + at) || !holds(text.data() + at, hash)) return true;
      hit = at;
      return false;
    });
    if (hit == text.size()) return best_ > known;
    extend(text.subspan(hit));
    build();
    text = text.subspan(hit + 1);
  }
}

}  // namespace freshet::demo
