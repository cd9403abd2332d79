#pragma once
// Documents as token ids, one after another in one vector: what training draws its windows from. It
// knows where documents start and which tokens a model is trained to predict; nothing about where
// they came from.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "model/tokenizer/tokenizer.h"

namespace freshet {

struct TokenStream {
  std::vector<TokenId> ids;
  std::vector<std::uint8_t>
      counts;  // by id: 1 where predicting it counts for the loss; empty: all do
  std::vector<std::size_t> starts;  // first index of every document, ascending; the first is 0
  std::uint64_t bytes = 0;          // of text that the ids which count stand for

  bool empty() const { return ids.empty(); }
  std::size_t size() const { return ids.size(); }
  bool counts_at(std::size_t index) const { return counts.empty() || counts[index] != 0; }

  // One past the last id of document `document`. REQUIRES: document < starts.size().
  std::size_t end_of(std::size_t document) const;

  // Adds `more` as a document of its own. `counted` is as `counts` above, empty or one for each of
  // `more`. An empty document is not added.
  void append(std::span<const TokenId> more, std::span<const std::uint8_t> counted,
              std::uint64_t text_bytes);
};

// Ids that another one of their document precedes and that count: what an epoch of training
// predicts.
std::size_t targets_of(const TokenStream& stream);

// Aborts where `starts` or `counts` break the promises above: a bug of whoever built the stream.
void check_stream(const TokenStream& stream);

}  // namespace freshet
