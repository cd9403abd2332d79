// A tokenizer.json, a NUL byte and a text: the file is refused or gives ids of its own vocabulary.
// The text alone: our own byte-level form gives every byte back.

#include "model/tokenizer/tokenizer.h"

#include "base/bytes.h"
#include "base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace freshet;
  static const Tokenizer bytes =
      std::move(*Tokenizer::parse(*train_byte_level_bpe({}, 259), "bytes"));
  const std::string_view input = as_text({data, size});
  const std::size_t end = input.find('\0');
  const std::string_view text = end == std::string_view::npos ? "" : input.substr(end + 1);

  const auto ids = bytes.encode(text, false);
  bool special = false;
  for (TokenId id : ids) special = special || id < 3;
  CHECK(special || bytes.decode(ids) == text, "{}", to_hex(as_bytes(text)));

  const auto tokenizer = Tokenizer::parse(input.substr(0, end), "fuzz.json");
  if (!tokenizer) {
    CHECK(!tokenizer.error().what.empty());
    return 0;
  }
  for (TokenId id : tokenizer->encode(text, false))
    CHECK(id >= 0 && id < tokenizer->vocab_size(), "{}", id);
  tokenizer->decode(tokenizer->encode(text, true));
  return 0;
}
