#pragma once
// Text out of tokens as they come, for generation: a token that ends inside a character holds its
// bytes back until the character is complete. Bytes that can be no part of a character go out as
// they are.

#include <string>

#include "model/tokenizer/tokenizer.h"

namespace freshet {

class StreamDecoder {
 public:
  // `tokenizer` must outlive this. `continues`: the tokens follow a text, so that a space at their
  // start is a space and not the mark of a beginning.
  StreamDecoder(const Tokenizer& tokenizer, bool continues);

  std::string put(TokenId id);  // what can be shown now
  std::string finish();         // what was held back; starts anew

 private:
  const Tokenizer* tokenizer_;
  bool continues_, start_;
  std::string held_;
};

}  // namespace freshet
