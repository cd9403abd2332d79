// Any bytes read to a GGUF file whose values and tensors lie inside it and apart, or to an error;
// the configuration, weights and tokenizer that it may hold read to something usable, or to an
// error.

#include "model/files/gguf.h"

#include <cmath>

#include "base/check.h"
#include "model/files/gguf_model.h"
#include "model/files/gguf_tokenizer.h"

namespace freshet {
namespace {

void check_values(const GgufFile& file, ByteView input) {
  for (const auto& [key, value] : file.metadata) {
    CHECK(value.bytes.empty() ||
          (value.bytes.data() >= input.data() &&
           value.bytes.data() + value.bytes.size() <= input.data() + input.size()));
    if (const auto list = file.integers(key)) CHECK(list->size() == value.count);
    if (const auto list = file.numbers(key)) CHECK(list->size() == value.count);
    if (const auto list = file.texts(key)) CHECK(list->size() == value.count);
    const auto integer = file.integer(key);
    const auto number = file.number(key);
    CHECK(!integer || number, "{}", key);
    CHECK(!(file.flag(key) && (number || file.text(key))), "{}", key);
  }
}

void check_model(const GgufFile& file) {
  if (const auto tokenizer = gguf_tokenizer(file)) {
    const auto ids = tokenizer->encode("a b\xff", true);
    for (TokenId id : ids) CHECK(id >= 0 && id < tokenizer->vocab_size());
    tokenizer->decode(ids);
  }
  const auto config = gguf_config(file);
  if (!config) {
    CHECK(!config.error().what.empty());
    return;
  }
  const auto weights = gguf_weights(file, *config);
  if (!weights) return;
  for (const WeightView& view : *weights) {
    std::vector<float> values(static_cast<std::size_t>(view.elements()));
    read_rows(view, 0, view.rows(), values.data());
  }
}

}  // namespace
}  // namespace freshet

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace freshet;
  const ByteView input(data, size);
  const auto file = read_gguf(input, "fuzz.gguf");
  if (!file) {
    CHECK(!file.error().what.empty());
    return 0;
  }
  check_values(*file, input);
  std::size_t bytes = 0;
  for (const GgufTensor& tensor : file->tensors) {
    bytes += tensor.bytes.size();
    CHECK(file->find_tensor(tensor.name) == &tensor);
  }
  CHECK(bytes <= size);
  check_model(*file);
  return 0;
}
