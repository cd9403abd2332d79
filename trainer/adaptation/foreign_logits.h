#pragma once
// A model with another tokenizer, heard in the vocabulary of those who ask. It reads the same text
// in its own tokens, and at every place says how likely each of the asker's tokens is to follow; so
// a node can answer prompts, in vectors that are masked and added, whatever its own tokens are.

#include <map>
#include <string>

#include "model/tokenizer/tokenizer.h"
#include "trainer/adaptation/logit_source.h"

namespace freshet {

enum class Hearing : std::uint8_t {
  // What its next token begins with, given the part of it that is already written: exact where the
  // asker's tokens are no longer than the model's own.
  kBytes,
  // At places where one token of each stands for the other (align_tokens), its probabilities under
  // vocabulary_map; nowhere else (FedMKT, arXiv:2406.02224).
  kAligned,
};

// Tables of two vocabularies, made once for a pair and shared by all that hear through it.
class VocabularyBridge {
 public:
  // REQUIRES: both outlive this.
  VocabularyBridge(const Tokenizer& own, const Tokenizer& asker);
  const Tokenizer& own() const { return own_; }
  const Tokenizer& asker() const { return asker_; }
  const std::vector<TokenId>& nearest() const { return nearest_; }  // vocabulary_map(own, asker)
  // By own id, the longest of the asker's tokens that its bytes after `written` begin with; -1
  // where it does not begin with `written`, has nothing after it, or nothing fits. Kept.
  const std::vector<TokenId>& after(const std::string& written);

 private:
  const Tokenizer &own_, &asker_;
  std::vector<TokenId> nearest_;
  std::map<std::string, TokenId, std::less<>> asker_ids_;
  std::size_t longest_ = 0;  // bytes of an asker's token
  std::map<std::string, std::vector<TokenId>> after_;
};

class ForeignLogits final : public LogitSource {
 public:
  // REQUIRES: all outlive this; `own` has the vocabulary of bridge.own().
  ForeignLogits(LogitSource& own, VocabularyBridge& bridge, Hearing hearing);
  int vocab() const override { return bridge_.asker().vocab_size(); }
  int positions() const override { return own_.positions() - 1; }  // BOS stands before
  void read(const TokenBatch& batch) override;
  // Where it has nothing to say, every token has the same logit.
  void rows(std::int64_t first, std::int64_t count, float* out) override;
  bool speaks(std::int64_t row) const { return heard_[static_cast<std::size_t>(row)] != 0; }

 private:
  struct Place {  // what answers a row: a row of the model's, and the bytes of its token till there
    std::int64_t row = -1;
    std::string written;
  };
  void read_sequence(std::span<const TokenId> ids, std::size_t sequence);
  void place_by_bytes(std::span<const TokenId> ids, std::span<const TokenId> own,
                      std::int64_t first_row, std::span<Place> places) const;
  void place_by_alignment(std::span<const TokenId> ids, std::span<const TokenId> own,
                          std::int64_t first_row, std::span<Place> places) const;
  void translate(const Place& place, const float* z, std::size_t row);

  LogitSource& own_;
  VocabularyBridge& bridge_;
  Hearing hearing_;
  std::vector<float> said_;  // [rows, vocab]
  std::vector<std::uint8_t> heard_;
  std::vector<float> z_;
  std::vector<double> mass_;
};

// By row of the prompts, 1 where it has something to say.
std::vector<std::uint8_t> rows_heard(ForeignLogits& source, const Prompts& prompts);

}  // namespace freshet
