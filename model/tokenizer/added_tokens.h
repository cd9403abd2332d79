#pragma once
// Tokens that are recognised in raw text before anything else looks at it: at every place the
// longest, from the left.

#include <cstdint>
#include <functional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "model/tokenizer/bpe.h"

namespace freshet {

class AddedTokens {
 public:
  // REQUIRES: `text` is not empty.
  void add(std::string_view text, TokenId id);

  struct Match {
    std::size_t bytes;  // 0: no token starts here
    TokenId id;
  };
  Match at_start(std::string_view text) const;

  // Cuts `text` at its tokens: `piece` is called for what stands between (never empty), `token` for
  // each token.
  void cut(std::string_view text, const std::function<void(std::string_view)>& piece,
           const std::function<void(TokenId)>& token) const;

 private:
  // A trie over bytes; node 0 is the root.
  std::unordered_map<std::uint64_t, std::uint32_t> edges_;  // node << 8 | byte
  std::vector<TokenId> ids_ = {-1};  // of the token that ends at a node, or -1
  bool starts_[256] = {};
};

}  // namespace freshet
