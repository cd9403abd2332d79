// A node's note of what it masked, from its own disk.

#include "base/check.h"
#include "edge_node/spent_bases.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace freshet;
  const ByteView bytes(data, size);
  const auto spent = spent_base_from(bytes);
  if (!spent) return 0;
  CHECK(bytes_of(*spent) == to_bytes(bytes), "a note has a second form");
  const SpentBases::Asked asked{spent->version, spent->adapter, {spent->round.value + 1}, {}};
  SpentBases::Notes notes{*spent, std::nullopt};
  if (spent->left) notes.masked = *spent;
  const AbortCertificate unsigned_one{spent->sid, {{0, {}}}};
  const bool admitted = SpentBases::admit(notes, asked, std::span(&unsigned_one, 1)).has_value();
  CHECK(!admitted || !spent->left || spent->quorum == 0, "a spent base is masked again");
  return 0;
}
