// A chat template, a byte 0, then rows: either is refused, or every row becomes ids of which
// something counts.

#include <algorithm>

#include "base/bytes.h"
#include "base/check.h"
#include "model/text/corpus.h"
#include "model/text/packing.h"
#include "model/text/rows.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace freshet;
  static const Tokenizer bytes =
      std::move(*Tokenizer::parse(*train_byte_level_bpe({}, 259), "bytes"));
  const std::string_view input = as_text({data, size});
  const std::size_t cut = std::min(input.find('\0'), input.size());
  const auto chat = ChatTemplate::parse({std::string(input.substr(0, cut)), "<s>", "</s>"}, "fuzz");
  if (!chat) CHECK(!chat.error().what.empty());
  const auto documents =
      split_rows(input.substr(std::min(cut + 1, input.size())), "fuzz.jsonl", chat);
  if (!documents) {
    CHECK(documents.error().what.starts_with("fuzz.jsonl, line "), "{}", documents.error().what);
    return 0;
  }
  const DocumentEncoder encoder(bytes);
  for (const Document& document : *documents) {
    const EncodedDocument encoded = encoder.encode(document);
    CHECK(encoded.counts.empty() || encoded.counts.size() == encoded.ids.size());
    CHECK(encoded.counts.empty() ||
          std::find(encoded.counts.begin(), encoded.counts.end(), 1) != encoded.counts.end());
  }
  const auto corpus = make_corpus(bytes, *documents, 0.25, 1);
  if (!corpus) return 0;
  check_stream(corpus->train);
  check_stream(corpus->heldout);
  for (const int window : {2, 7})
    CHECK(figures_of(corpus->train, pack(corpus->train, window), window).targets ==
          targets_of(corpus->train));
  return 0;
}
