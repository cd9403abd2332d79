#pragma once
// What nodes are asked in a campaign of masked logits: prompts, and for every token of them a fixed
// number of candidates for the one that follows. It is a file with a digest, made before the
// campaign by models that everybody may have (`freshet model question`), so that the people of a
// node can read it and approve it by its hash.

#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "model/adapter.h"
#include "model/tokenizer/tokenizer.h"

namespace freshet {

struct Question {
  int vocab = 0;   // every id is below it
  int window = 0;  // tokens of a prompt
  int candidates = 0;
  std::vector<TokenId> ids;            // [prompts * window]
  std::vector<TokenId> next;           // [prompts * window]; -1: nothing follows
  std::vector<TokenId> candidate_ids;  // [prompts * window, candidates], distinct within a row

  std::size_t rows() const { return ids.size(); }
  bool operator==(const Question&) const = default;
};

// kBadInput for a shape that does not fit or is over the limits, ids outside the vocabulary, a
// candidate that is twice in its row.
Result<void> check_question(const Question& question);

Bytes canonical_bytes(const Question& question);  // REQUIRES: check_question()
Result<Question> read_question(ByteView bytes);

// The shape of what a node answers: by row, a value for each candidate and one for the rest.
Layout answer_layout(std::uint32_t rows, std::uint32_t candidates);

}  // namespace freshet
