#pragma once
// Training without a model: a small update that depends on the node, the adapter it starts from, and the attempt, as
// real training does that is not repeatable to the last bit. From there on everything is the real arithmetic.

#include <vector>

#include "aggregation/quantize.h"
#include "base/bytes.h"
#include "simulations/world.h"

namespace freshet::sim {

struct Lesson {
  std::size_t node = 0;
  VersionId base;
  std::uint64_t attempt = 0;  // never twice the same for one node
};

// kBadInput when training ended in NaN, as clip() says.
Result<QuantizedUpdate> train(const World& world, const Lesson& lesson, const std::vector<float>& adapter);

// Without the wire, an upload is its round, its node and its words, in the clear.
Bytes upload_bytes(RoundId round, std::size_t node, const QuantizedUpdate& update);
Result<QuantizedUpdate> open_upload_bytes(ByteView bytes, RoundId round, std::size_t node);

Bytes floats_to_bytes(const std::vector<float>& values);
std::vector<float> floats_from_bytes(ByteView bytes);

}  // namespace freshet::sim
