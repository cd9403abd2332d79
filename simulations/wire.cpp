#include "simulations/wire.h"

#include "base/check.h"

namespace freshet::sim {

Wire::Wire(std::size_t nodes) : coordinator_(Identity::generate()) {
  for (std::size_t i = 0; i < nodes; ++i) nodes_.push_back(Identity::generate());
}

NodeMessage Wire::pass(std::size_t node, const NodeMessage& message) {
  const Identity& sender = nodes_[node];
  Bytes frame = encode(message, FrameHeader{sender.open.id(), ++sequence_}, sender);
  auto decoded = decode_from_node(frame, sender.open.signing);
  CHECK(decoded, "{}", decoded.error().what);
  return std::move(decoded->message);
}

CoordinatorMessage Wire::pass(const CoordinatorMessage& message) {
  Bytes frame = encode(message, FrameHeader{NodeId{0}, ++sequence_}, coordinator_);
  auto decoded = decode_from_coordinator(frame, coordinator_.open.signing);
  CHECK(decoded, "{}", decoded.error().what);
  return std::move(decoded->message);
}

void Wire::pass_garbage(std::size_t node, Rng& rng) {
  const Identity& sender = nodes_[node];
  Bytes random(rng.below(300));
  for (std::uint8_t& byte : random) byte = static_cast<std::uint8_t>(rng.next_u32());
  CHECK(!decode_from_node(random, sender.open.signing), "{}", to_hex(random));
  Bytes frame = encode(NodeMessage(Hello{}), FrameHeader{sender.open.id(), ++sequence_}, sender);
  frame[rng.below(frame.size())] ^= static_cast<std::uint8_t>(1u << rng.below(8));
  CHECK(!decode_from_node(frame, sender.open.signing), "{}", to_hex(frame));
}

}  // namespace freshet::sim
