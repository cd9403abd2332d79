// u16 length of an adapter_config.json, the config, then the adapter_model.safetensors: refused, or
// an adapter that is finite and of the size of its layout.

#include <sys/mman.h>

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "model/files/peft_adapter.h"

namespace freshet {
namespace {

OpenFile memory_file(const char* name, ByteView bytes) {
  OpenFile file{name, UniqueFd(::memfd_create(name, MFD_CLOEXEC))};
  CHECK(file.fd && write_all(file.fd.get(), bytes, name));
  return file;
}

void run(ByteView input) {
  if (input.size() < 2) return;
  const std::size_t split = std::min<std::size_t>(input[0] | input[1] << 8, input.size() - 2);
  const PeftFiles files{memory_file("adapter_config.json", input.subspan(2, split)),
                        memory_file("adapter_model.safetensors", input.subspan(2 + split))};
  ModelConfig config;
  config.hidden_size = config.intermediate_size = 4;
  config.heads = config.kv_heads = config.layers = 1;
  config.head_dim = 4;
  const auto adapter = read_peft_adapter(files, config);
  if (!adapter) {
    CHECK(!adapter.error().what.empty());
    return;
  }
  CHECK(adapter->values.size() == adapter_layout(config, adapter->spec)->size);
  CHECK(std::all_of(adapter->values.begin(), adapter->values.end(),
                    [](float value) { return std::isfinite(value); }));
}

}  // namespace
}  // namespace freshet

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  freshet::run({data, size});
  return 0;
}
