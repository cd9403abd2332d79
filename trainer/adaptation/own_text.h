#pragma once
// Which prompts hold text that somebody has himself: on those his confidence is 0, and nobody
// learns that it was.

#include <cstddef>
#include <span>
#include <unordered_set>
#include <vector>

#include "trainer/adaptation/prompts.h"

namespace freshet {

inline constexpr std::size_t kOwnRun = 24;  // tokens in a row that are no chance

class OwnText {
 public:
  explicit OwnText(std::span<const TokenId> text);
  bool any_in(std::span<const TokenId> sequence) const;

 private:
  std::unordered_set<std::size_t> runs_;  // by a hash
};

// Confidence 0 in every sequence that shares kOwnRun tokens in a row with `own`.
void silence_own(const Prompts& prompts, const OwnText& own, std::vector<float>& confidence);

}  // namespace freshet
