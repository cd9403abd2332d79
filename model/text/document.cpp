#include "model/text/document.h"

#include <algorithm>
#include <string_view>

#include "base/check.h"
#include "model/tokenizer/tokenizer_file.h"

namespace freshet {
namespace {

// Text between special tokens, and where in it counting starts or stops.
class Run {
 public:
  void add(std::string_view text, bool counts) {
    if (turns_.empty() || turns_.back().counts != counts) turns_.push_back({text_.size(), counts});
    text_ += text;
  }

  std::size_t turns() const { return turns_.size(); }

  void flush(const Tokenizer& tokenizer, bool first, EncodedDocument& out) {
    if (text_.empty()) return;
    const std::vector<TokenId> ids = tokenizer.encode_plain(text_, first);
    std::vector<std::uint8_t> counts(ids.size(), turns_[0].counts ? 1 : 0);
    for (std::size_t i = 1; i < turns_.size(); ++i) {
      const std::vector<TokenId> before =
          tokenizer.encode_plain(std::string_view(text_).substr(0, turns_[i].at), first);
      const auto common = std::mismatch(ids.begin(), ids.end(), before.begin(), before.end()).first;
      std::fill(counts.begin() + (common - ids.begin()), counts.end(), turns_[i].counts ? 1 : 0);
    }
    out.ids.insert(out.ids.end(), ids.begin(), ids.end());
    out.counts.insert(out.counts.end(), counts.begin(), counts.end());
    text_.clear();
    turns_.clear();
  }

 private:
  struct Turn {
    std::size_t at;
    bool counts;
  };
  std::string text_;
  std::vector<Turn> turns_;
};

constexpr std::size_t kTurnsMax = 64;  // of one run: each costs an encoding of what precedes it

}  // namespace

DocumentEncoder::DocumentEncoder(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {
  const std::vector<TokenId>& before = tokenizer.file().before;
  if (!before.empty() && before.front() == tokenizer.bos_id()) bos_ = before.front();
  for (const AddedToken& token : tokenizer.file().added)
    if (token.special && !token.text.empty())
      specials_.add(token.text, token.id, {token.single_word, token.lstrip, token.rstrip});
}

EncodedDocument DocumentEncoder::encode(const Document& document) const {
  EncodedDocument out;
  const TokenId bos = document.bos ? bos_ : -1,
                eos = document.eos ? tokenizer_.eos_id() : -1;
  const bool plain = document.segments.empty();
  if (bos >= 0) out.ids.push_back(bos);
  if (plain) {
    const std::vector<TokenId> ids = tokenizer_.encode(document.text, false);
    out.ids.insert(out.ids.end(), ids.begin(), ids.end());
    out.bytes = document.text.size();
  } else {
    out.counts.assign(out.ids.size(), 0);
    Run run;
    bool first = true;  // whether the run begins the text
    const auto flush = [&] {
      run.flush(tokenizer_, first, out);
      first = false;
    };
    std::string_view rest = document.text;
    for (const Segment& segment : document.segments) {
      CHECK(segment.bytes <= rest.size(), "{} {}", segment.bytes, rest.size());
      const std::string_view text = rest.substr(0, segment.bytes);
      rest.remove_prefix(segment.bytes);
      if (run.turns() >= kTurnsMax) flush();
      if (segment.counts && !segment.markup) out.bytes += text.size();
      if (!segment.markup) {
        run.add(text, segment.counts);
        continue;
      }
      specials_.cut(
          text, [&](std::string_view piece) { run.add(piece, segment.counts); },
          [&](TokenId id) {
            flush();
            out.ids.push_back(id);
            out.counts.push_back(segment.counts ? 1 : 0);
          });
    }
    CHECK(rest.empty(), "{}", rest.size());
    flush();
  }
  if (eos >= 0) {
    out.ids.push_back(eos);
    if (!plain) out.counts.push_back(document.segments.back().counts ? 1 : 0);
  }
  return out;
}

}  // namespace freshet
