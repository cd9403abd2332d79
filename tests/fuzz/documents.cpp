// A byte that sets the share, then a text: it is refused, or its documents make a corpus that loses
// no byte.

#include "base/bytes.h"
#include "base/check.h"
#include "model/text/corpus.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace freshet;
  static const Tokenizer bytes =
      std::move(*Tokenizer::parse(*train_byte_level_bpe({}, 259), "bytes"));
  if (size == 0) return 0;
  const double share = data[0] / 256.0;
  const auto documents = split_documents(as_text({data + 1, size - 1}), "fuzz.txt");
  if (!documents) {
    CHECK(!documents.error().what.empty());
    return 0;
  }
  std::uint64_t total = 0;
  for (const Document& document : *documents) {
    CHECK(!document.text.empty() && document.text.find("<|endoftext|>") == std::string::npos);
    total += document.text.size();
  }
  const auto corpus = make_corpus(bytes, *documents, share, 1);
  if (!corpus) return 0;
  CHECK(corpus->train.bytes + corpus->heldout.bytes == total, "{} {} {}", corpus->train.bytes,
        corpus->heldout.bytes, total);
  check_stream(corpus->train);
  check_stream(corpus->heldout);
  CHECK(share > 0 || corpus->heldout.empty());
  return 0;
}
