// Any bytes read to tensors that cover the data exactly, or to an error; F32 tensors survive being
// written again.

#include "model/files/safetensors.h"

#include <cstring>

#include "base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace freshet;
  const auto file = read_safetensors({data, size}, "fuzz.safetensors");
  if (!file) {
    CHECK(!file.error().what.empty());
    return 0;
  }
  std::size_t bytes = 0;
  for (const TensorView& tensor : file->tensors) {
    bytes += tensor.bytes.size();
    std::size_t elements = 1;
    for (std::int64_t length : tensor.shape) elements *= static_cast<std::size_t>(length);
    CHECK(elements * size_of(tensor.dtype) == tensor.bytes.size());
    CHECK(file->find(tensor.name) == &tensor);
    const auto values = to_f32(tensor);
    if (!values || tensor.dtype != Dtype::kF32) continue;
    const std::vector<TensorToWrite> again = {{tensor.name, tensor.shape, *values}};
    const Bytes written = write_safetensors(again, Dtype::kF32);
    const auto reread = read_safetensors(written, "again");
    CHECK(reread.has_value() && reread->tensors.size() == 1, "{}", tensor.name);
    CHECK(std::equal(tensor.bytes.begin(), tensor.bytes.end(), reread->tensors[0].bytes.begin(),
                     reread->tensors[0].bytes.end()));
  }
  CHECK(bytes <= size);
  return 0;
}
