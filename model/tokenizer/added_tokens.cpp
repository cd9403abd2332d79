#include "model/tokenizer/added_tokens.h"

#include <algorithm>

#include "base/check.h"
#include "model/tokenizer/utf8.h"

namespace freshet {
namespace {

std::size_t byte_at(std::string_view text, std::size_t at) {
  return static_cast<unsigned char>(text[at]);
}

// The code point before or after a place; 0 where there is none.
char32_t character_before(std::string_view text) {
  const std::size_t bytes = utf8_last_character_bytes(text);
  return bytes == 0 ? 0 : utf8_code_point(text.substr(text.size() - bytes), bytes);
}
char32_t character_after(std::string_view text) {
  const std::size_t bytes = utf8_character_bytes(text);
  return bytes == 0 ? 0 : utf8_code_point(text, bytes);
}

bool beside_a_word(std::string_view text, std::size_t begin, std::size_t end) {
  return is_word(character_before(text.substr(0, begin))) ||
         is_word(character_after(text.substr(end)));
}

std::size_t skip_spaces(std::string_view text, std::size_t at) {
  while (at < text.size() && is_space(character_after(text.substr(at))))
    at += utf8_character_bytes(text.substr(at));
  return at;
}

// Back over white space, no further than `from`.
std::size_t skip_spaces_back(std::string_view text, std::size_t at, std::size_t from) {
  while (at > from && is_space(character_before(text.substr(from, at - from))))
    at -= utf8_last_character_bytes(text.substr(from, at - from));
  return at;
}

}  // namespace

void AddedTokens::add(std::string_view text, TokenId id, Rules rules) {
  CHECK(!text.empty());
  starts_.set(byte_at(text, 0));
  if (text.size() == 1)
    single_.set(byte_at(text, 0));
  else
    pairs_.set(byte_at(text, 0) << 8 | byte_at(text, 1));
  std::uint64_t node = 0;
  for (char c : text) {
    const auto [edge, fresh] =
        edges_.emplace(node << 8 | static_cast<unsigned char>(c), nodes_.size());
    if (fresh) nodes_.emplace_back();
    node = edge->second;
  }
  if (nodes_[node].id < 0) nodes_[node] = {id, rules};
}

bool AddedTokens::may_start(std::string_view text, std::size_t at) const {
  const std::size_t first = byte_at(text, at);
  if (!starts_.test(first)) return false;
  return single_.test(first) ||
         (at + 1 < text.size() && pairs_.test(first << 8 | byte_at(text, at + 1)));
}

AddedTokens::Match AddedTokens::at_start(std::string_view text) const {
  Match longest = {0, -1, Rules()};
  std::uint64_t node = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto edge = edges_.find(node << 8 | static_cast<unsigned char>(text[i]));
    if (edge == edges_.end()) break;
    node = edge->second;
    if (nodes_[node].id >= 0) longest = {i + 1, nodes_[node].id, nodes_[node].rules};
  }
  return longest;
}

void AddedTokens::cut(std::string_view text, const std::function<void(std::string_view)>& piece,
                      const std::function<void(TokenId)>& token) const {
  std::size_t from = 0;  // what stands before is done
  for (std::size_t at = 0; at < text.size() && !edges_.empty();) {
    const Match match = may_start(text, at) ? at_start(text.substr(at)) : Match{0, -1, Rules()};
    std::size_t begin = at, end = at + match.bytes;
    at += std::max<std::size_t>(match.bytes, 1);
    if (match.bytes == 0 || begin < from) continue;  // taken along as white space
    if (match.rules.single_word && beside_a_word(text, begin, end)) continue;
    if (match.rules.lstrip) begin = skip_spaces_back(text, begin, from);
    if (match.rules.rstrip) end = skip_spaces(text, end);
    if (begin > from) piece(text.substr(from, begin - from));
    token(match.id);
    from = end;
  }
  if (from < text.size()) piece(text.substr(from));
}

}  // namespace freshet
