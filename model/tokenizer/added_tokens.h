#pragma once
// Tokens that are recognised in raw text before anything else looks at it: at every place the
// longest, from the left.

#include <bitset>
#include <cstdint>
#include <functional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "model/tokenizer/bpe.h"

namespace freshet {

class AddedTokens {
 public:
  struct Rules {
    bool single_word = false;  // no token where a letter, digit or the like stands beside it
    bool lstrip = false, rstrip = false;  // white space before or after it is part of the token
  };

  // Of two tokens with one text the first counts. REQUIRES: `text` is not empty.
  void add(std::string_view text, TokenId id, Rules rules);
  void add(std::string_view text, TokenId id) { add(text, id, Rules()); }

  struct Match {
    std::size_t bytes;  // 0: no token starts here
    TokenId id;
    Rules rules;
  };
  Match at_start(std::string_view text) const;

  // Cuts `text` at its tokens: `piece` is called for what stands between (never empty), `token` for
  // each token.
  void cut(std::string_view text, const std::function<void(std::string_view)>& piece,
           const std::function<void(TokenId)>& token) const;

 private:
  bool may_start(std::string_view text, std::size_t at) const;
  // A trie over bytes; node 0 is the root.
  struct Node {
    TokenId id = -1;  // of the token that ends here
    Rules rules;
  };
  std::unordered_map<std::uint64_t, std::uint32_t> edges_;  // node << 8 | byte
  std::vector<Node> nodes_ = std::vector<Node>(1);
  std::bitset<256> starts_, single_;  // first bytes of tokens; those of tokens of one byte
  std::bitset<65536> pairs_;          // first two bytes of tokens
};

}  // namespace freshet
