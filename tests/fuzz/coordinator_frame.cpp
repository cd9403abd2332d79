#include "tests/fuzz/frame.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace freshet;
  fuzz_frame({data, size}, NodeId{}, decode_from_coordinator);
  return 0;
}
