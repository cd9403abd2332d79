#include "trainer/adaptation/token_alignment.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <string>
#include <unordered_map>

#include "base/check.h"

namespace freshet {
namespace {

// Of a dynamic time warping: where the cheapest path to a pair comes from.
enum class From : std::uint8_t { kBoth, kFirst, kSecond };

struct Pair {
  std::size_t from, to;
};

// The cheapest path through all pairs, from the first of both to the last of both.
std::vector<Pair> warp(const std::vector<std::string_view>& from,
                       const std::vector<std::string_view>& to) {
  const std::size_t wide = to.size();
  std::vector<int> cost(from.size() * wide);
  std::vector<From> step(cost.size());
  for (std::size_t i = 0; i < from.size(); ++i)
    for (std::size_t j = 0; j < wide; ++j) {
      constexpr int kFar = std::numeric_limits<int>::max();
      const std::size_t at = i * wide + j;
      const int both = i > 0 && j > 0 ? cost[at - wide - 1] : kFar;
      const int first = i > 0 ? cost[at - wide] : kFar;
      const int second = j > 0 ? cost[at - 1] : kFar;
      int least = std::min({both, first, second});
      step[at] = least == both ? From::kBoth : least == first ? From::kFirst : From::kSecond;
      if (i == 0 && j == 0) least = 0;
      cost[at] = least + edit_distance(from[i], to[j]);
    }
  std::vector<Pair> path;
  for (std::size_t i = from.size() - 1, j = wide - 1;;) {
    path.push_back({i, j});
    if (i == 0 && j == 0) break;
    const From came = step[i * wide + j];
    if (came != From::kSecond) --i;
    if (came != From::kFirst) --j;
  }
  return path;
}

// The id whose bytes are the most alike; -1 where none has any.
TokenId nearest(std::string_view bytes, const Tokenizer& to) {
  TokenId best = -1;
  int least = std::numeric_limits<int>::max();
  for (TokenId id = 0; id < to.vocab_size(); ++id) {
    const std::string_view other = to.bytes_of(id);
    const auto apart = static_cast<int>(std::max(bytes.size(), other.size()) -
                                        std::min(bytes.size(), other.size()));
    if (other.empty() || to.is_special(id) || apart >= least) continue;
    const int distance = edit_distance(bytes, other);
    if (distance >= least) continue;
    least = distance;
    best = id;
  }
  return best;
}

}  // namespace

int edit_distance(std::string_view a, std::string_view b) {
  std::vector<int> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (std::size_t i = 0; i < a.size(); ++i) {
    int corner = row[0];
    row[0] = static_cast<int>(i) + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const int replaced = corner + (a[i] == b[j] ? 0 : 1);
      corner = row[j + 1];
      row[j + 1] = std::min({replaced, corner + 1, row[j] + 1});
    }
  }
  return row.back();
}

std::vector<int> align_tokens(const std::vector<std::string_view>& from,
                              const std::vector<std::string_view>& to) {
  std::vector<int> found(to.size(), -1);
  if (from.empty() || to.empty()) return found;
  std::vector<int> of_from(from.size()), of_to(to.size());
  const std::vector<Pair> path = warp(from, to);
  for (const Pair& pair : path) {
    ++of_from[pair.from];
    ++of_to[pair.to];
  }
  for (const Pair& pair : path)
    if (of_from[pair.from] == 1 && of_to[pair.to] == 1)
      found[pair.to] = static_cast<int>(pair.from);
  return found;
}

std::vector<TokenId> vocabulary_map(const Tokenizer& from, const Tokenizer& to) {
  std::unordered_map<std::string, TokenId> same;
  for (TokenId id = 0; id < to.vocab_size(); ++id)
    if (!to.is_special(id)) same.emplace(to.bytes_of(id), id);
  std::vector<TokenId> map(static_cast<std::size_t>(from.vocab_size()), -1);
  for (TokenId id = 0; id < from.vocab_size(); ++id) {
    const std::string_view bytes = from.bytes_of(id);
    if (bytes.empty() || from.is_special(id)) continue;
    const auto twin = same.find(std::string(bytes));
    map[static_cast<std::size_t>(id)] = twin != same.end() ? twin->second : nearest(bytes, to);
  }
  return map;
}

}  // namespace freshet
