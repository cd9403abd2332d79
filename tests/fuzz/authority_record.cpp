// Any bytes are entries of an authority's journal or an error, and no registry minds what comes in
// which order.

#include <algorithm>

#include "authority/registry.h"
#include "base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace freshet;
  authority::Registry registry;
  ByteView left(data, size);
  while (!left.empty()) {  // u8 length, entry
    const std::size_t count = std::min<std::size_t>(left[0], left.size() - 1);
    const auto record = authority::decode_record(left.subspan(1, count));
    left = left.subspan(1 + count);
    if (!record) continue;
    CHECK(authority::decode_record(authority::encode(*record)).value() == *record);
    const auto applied = registry.apply(*record);
    CHECK(applied || !applied.error().what.empty());
  }
  (void)registry.revocations(0);
  (void)registry.after(0, Role::kNode, 10);
  (void)registry.coordinator();
  return 0;
}
