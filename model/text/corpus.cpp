#include "model/text/corpus.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace freshet {
namespace {

constexpr std::size_t kLinesToCut = 20;

bool is_long(std::string_view text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) + 1 >= kLinesToCut;
}

// The line end nearest after the point that leaves `share` of the text behind it, else the last one
// before.
std::size_t cut_of(std::string_view text, double share) {
  if (share == 0) return text.size();
  const auto aim =
      static_cast<std::size_t>(std::floor(static_cast<double>(text.size()) * (1 - share)));
  std::size_t line_end = text.find('\n', aim == 0 ? 0 : aim - 1);
  if (line_end == std::string_view::npos) line_end = text.rfind('\n');
  return line_end == std::string_view::npos ? text.size() : line_end + 1;
}

enum class Kind { kLong, kShort, kRow };

Kind kind_of(const Document& document) {
  if (document.row) return Kind::kRow;
  return is_long(document.text) ? Kind::kLong : Kind::kShort;
}

// The documents of one kind from this index on are held out: the fewest that make up the share, but
// never all.
std::size_t first_heldout(std::span<const Document> documents, std::span<const Kind> kinds,
                          Kind kind, double share) {
  std::vector<std::size_t> found;
  std::size_t bytes = 0, kept_back = 0;
  for (std::size_t i = 0; i < documents.size(); ++i) {
    if (kinds[i] != kind) continue;
    found.push_back(i);
    bytes += documents[i].text.size();
  }
  std::size_t first = documents.size();
  for (std::size_t i = found.size();
       i > 1 && static_cast<double>(kept_back) < share * static_cast<double>(bytes); --i) {
    first = found[i - 1];
    kept_back += documents[first].text.size();
  }
  return first;
}

void append(const DocumentEncoder& encoder, const Document& document, TokenStream& stream) {
  if (document.text.empty()) return;
  const EncodedDocument encoded = encoder.encode(document);
  stream.append(encoded.ids, encoded.counts, encoded.bytes);
}

Result<void> check_length(const TokenStream& train, bool rows, int window) {
  if (rows && targets_of(train) == 0)
    return fail(Code::kBadInput, "the training rows hold nothing to predict; add more of them");
  const std::size_t needed = rows ? 2 : static_cast<std::size_t>(window) + 1;
  if (train.size() >= needed) return {};
  return fail(Code::kBadInput, "the training text has " + std::to_string(train.size()) +
                                   " tokens and needs at least " + std::to_string(needed) +
                                   " for one window; add more text to the folder");
}

}  // namespace

Result<Corpus> make_corpus(const Tokenizer& tokenizer, std::span<const Document> documents,
                           double heldout_share, int window, const TextProgress& progress) {
  CHECK(heldout_share >= 0 && heldout_share < 1 && window > 0, "{} {}", heldout_share, window);
  std::vector<Kind> kinds;
  std::uint64_t done = 0, total = 0;
  for (const Document& document : documents) {
    kinds.push_back(kind_of(document));
    total += document.text.size();
  }
  const std::size_t first_short = first_heldout(documents, kinds, Kind::kShort, heldout_share);
  const std::size_t first_row = first_heldout(documents, kinds, Kind::kRow, heldout_share);
  const DocumentEncoder encoder(tokenizer);
  Corpus corpus;
  for (std::size_t i = 0; i < documents.size(); ++i) {
    const Document& document = documents[i];
    if (kinds[i] == Kind::kLong) {
      const std::size_t cut = cut_of(document.text, heldout_share);
      append(encoder, {document.text.substr(0, cut)}, corpus.train);
      append(encoder, {document.text.substr(cut)}, corpus.heldout);
    } else {
      const bool held = i >= (kinds[i] == Kind::kRow ? first_row : first_short);
      append(encoder, document, held ? corpus.heldout : corpus.train);
    }
    done += document.text.size();
    if (progress) progress(done, total);
  }
  const bool rows = std::find(kinds.begin(), kinds.end(), Kind::kRow) != kinds.end();
  TRY(check_length(corpus.train, rows, window));
  return corpus;
}

Result<Corpus> make_corpus(const Tokenizer& tokenizer, const Split& split, int window,
                           const TextProgress& progress) {
  const DocumentEncoder encoder(tokenizer);
  Corpus corpus;
  std::uint64_t done = 0, total = 0;
  bool rows = false;
  for (const auto* part : {&split.train, &split.heldout})
    for (const Document& document : *part) total += document.text.size();
  const auto encode = [&](const std::vector<Document>& documents, TokenStream& stream) {
    for (const Document& document : documents) {
      append(encoder, document, stream);
      rows = rows || document.row;
      done += document.text.size();
      if (progress) progress(done, total);
    }
  };
  encode(split.train, corpus.train);
  encode(split.heldout, corpus.heldout);
  TRY(check_length(corpus.train, rows, window));
  return corpus;
}

}  // namespace freshet
