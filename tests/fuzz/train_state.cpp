// A saved training under a digest that is right: refused, or a state that hangs together and is
// written as it was read.

#include "base/check.h"
#include "crypto/digest.h"
#include "trainer/training/checkpoint.h"

namespace freshet {
namespace {

void run(ByteView input) {
  Bytes bytes = to_bytes(input);
  if (bytes.size() >= sizeof(Digest)) {
    const std::size_t told = bytes.size() - sizeof(Digest);
    const Digest digest = digest_of(ByteView(bytes).first(told));
    std::copy(digest.begin(), digest.end(), bytes.begin() + static_cast<std::ptrdiff_t>(told));
  }
  const auto read = decode_checkpoint(bytes, "state");
  if (!read) {
    CHECK(!read.error().what.empty());
    return;
  }
  CHECK(read->state.losses.size() == static_cast<std::size_t>(read->state.step));
  CHECK(encode_checkpoint(read->terms, read->state) == bytes);
}

}  // namespace
}  // namespace freshet

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  freshet::run({data, size});
  return 0;
}
