#include "model/tokenizer/added_tokens.h"

#include "base/check.h"

namespace freshet {

void AddedTokens::add(std::string_view text, TokenId id) {
  CHECK(!text.empty());
  starts_[static_cast<unsigned char>(text[0])] = true;
  std::uint64_t node = 0;
  for (char c : text) {
    const auto [edge, fresh] =
        edges_.emplace(node << 8 | static_cast<unsigned char>(c), ids_.size());
    if (fresh) ids_.push_back(-1);
    node = edge->second;
  }
  ids_[node] = id;
}

AddedTokens::Match AddedTokens::at_start(std::string_view text) const {
  Match longest = {0, -1};
  std::uint64_t node = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto edge = edges_.find(node << 8 | static_cast<unsigned char>(text[i]));
    if (edge == edges_.end()) break;
    node = edge->second;
    if (ids_[node] >= 0) longest = {i + 1, ids_[node]};
  }
  return longest;
}

void AddedTokens::cut(std::string_view text, const std::function<void(std::string_view)>& piece,
                      const std::function<void(TokenId)>& token) const {
  std::size_t from = 0;
  for (std::size_t at = 0; at < text.size();) {
    if (!starts_[static_cast<unsigned char>(text[at])]) {
      ++at;
      continue;
    }
    const Match match = at_start(text.substr(at));
    if (match.bytes == 0) {
      ++at;
      continue;
    }
    if (at > from) piece(text.substr(from, at - from));
    token(match.id);
    at += match.bytes;
    from = at;
  }
  if (from < text.size()) piece(text.substr(from));
}

}  // namespace freshet
