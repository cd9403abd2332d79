// u16 length of an index of shards, the index, u16 length of a shard, the shard "a", then the shard
// "b": refused, or tensors of which each can be read.

#include <sys/mman.h>

#include <algorithm>

#include "base/check.h"
#include "model/files/model_files.h"
#include "model/files/weights.h"

namespace freshet {
namespace {

OpenFile memory_file(const char* name, ByteView bytes) {
  OpenFile file{name, UniqueFd(::memfd_create(name, MFD_CLOEXEC))};
  CHECK(file.fd && write_all(file.fd.get(), bytes, name));
  return file;
}

ByteView take(ByteView& input) {
  if (input.size() < 2) return {};
  const std::size_t bytes = std::min<std::size_t>(input[0] | input[1] << 8, input.size() - 2);
  const ByteView taken = input.subspan(2, bytes);
  input = input.subspan(2 + bytes);
  return taken;
}

void run(ByteView input) {
  ModelFiles files;
  files.config = memory_file("config.json", {});
  files.index = memory_file("model.safetensors.index.json", take(input));
  files.weights.push_back(memory_file("a", take(input)));
  if (!input.empty()) files.weights.push_back(memory_file("b", input));
  const auto weights = Weights::open(files);
  if (!weights) {
    CHECK(!weights.error().what.empty());
    return;
  }
  for (const WeightView& view : weights->all()) {
    CHECK(weights->find(view.name) == &view, "{}", view.name);
    std::vector<float> values(static_cast<std::size_t>(view.elements()));
    read_rows(view, 0, view.rows(), values.data());
  }
}

}  // namespace
}  // namespace freshet

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  freshet::run({data, size});
  return 0;
}
