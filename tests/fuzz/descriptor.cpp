// Any bytes are a descriptor of a round, or an error; what is read has one form and a sid.

#include "protocol/descriptor.h"

#include "base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace freshet;
  const ByteView input(data, size);
  const auto read = read_descriptor(input);
  if (!read) return 0;
  CHECK(canonical_bytes(*read) == to_bytes(input), "a descriptor has two forms");
  for (const std::uint32_t n : {1u, 6u, read->cohort_max}) {
    const std::uint32_t quorum = quorum_of(n, read->corrupt);
    CHECK(2 * quorum > n + part_of(n, read->corrupt), "two quorums of {}", n);
    CHECK(survivors_needed(*read, n) >= quorum, "survivors of {}", n);
  }
  return 0;
}
