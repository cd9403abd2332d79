#include "coordinator/peers.h"

#include <chrono>

#include "base/limits.h"
#include "base/log.h"
#include "protocol/codec.h"

namespace freshet {
namespace {

constexpr std::int64_t kRefuseEveryMs = 1000;

// Rises over restarts too, so that a node needs not know that the coordinator is another process
// now.
std::uint64_t first_sequence() {
  const auto since_epoch = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(since_epoch).count());
}

}  // namespace

Peers::Peers(Transport& transport, const Identity& identity, const AllowedNodes& allowed)
    : transport_(transport), identity_(identity), allowed_(allowed), sequence_(first_sequence()) {}

Result<std::optional<Peers::Received>> Peers::receive(Instant now) {
  for (int looked = 0; looked < limits::kFramesPerTurn; ++looked) {
    TRY_ASSIGN(std::optional<Inbound> inbound, transport_.receive());
    if (!inbound) break;
    const auto list = allowed_.list();
    const AllowedNode* node = list->find(inbound->from);
    if (node == nullptr) continue;  // its permission was withdrawn after its handshake
    bytes_up_ += inbound->frame.size();
    Peer& peer = peer_of(*node);
    auto message = open(*node, inbound->frame);
    if (message) {
      std::optional<Received> received(std::in_place);
      received->node = node->identity.id();
      received->message = std::move(*message);
      return received;
    }
    ++peer.bad_frames;
    if (peer.bad_frames == 1 || peer.bad_frames % 1000 == 0)
      log::warning("{} sent a bad frame ({} so far): {}", node->name, peer.bad_frames,
                   message.error().what);
    refuse(node->identity.id(), message.error().code, message.error().what, now);
  }
  return std::optional<Received>();
}

Peers::Peer& Peers::peer_of(const AllowedNode& node) {
  Peer& peer = peers_[node.identity.id()];
  peer.key = node.identity.transport;
  return peer;
}

Result<NodeMessage> Peers::open(const AllowedNode& node, ByteView frame) {
  TRY_ASSIGN(auto decoded, decode_from_node(frame, node.identity.signing));
  if (decoded.header.sender != node.identity.id())
    return fail(Code::kRefused, "the frame names another sender than the key it came from");
  Peer& peer = peer_of(node);
  const bool starts_over = std::holds_alternative<Hello>(decoded.message);
  if (!starts_over && decoded.header.sequence <= peer.received)
    return fail(Code::kRefused, "the frame's sequence does not rise");
  peer.received = decoded.header.sequence;
  return std::move(decoded.message);
}

void Peers::send(NodeId to, const CoordinatorMessage& message, Instant now) {
  const auto list = allowed_.list();
  const AllowedNode* node = list->find(to);
  if (node == nullptr) return;
  Peer& peer = peer_of(*node);
  Bytes frame = encode(message, {NodeId{0}, ++sequence_}, identity_);
  if (peer.outbox.empty() && hand_over(peer, frame)) return;
  if (std::holds_alternative<Chunk>(message)) return;  // bulk is never kept: the node asks again
  if (peer.outbox.size() >= limits::kOutboxFrames) peer.outbox.pop_front();
  peer.outbox.push_back({std::move(frame), now});
}

void Peers::refuse(NodeId to, Code code, std::string why, Instant now) {
  auto found = peers_.find(to);
  if (found != peers_.end()) {
    auto& at = found->second.refused_at;
    if (at && now - *at < kRefuseEveryMs) return;
    at = now;
  }
  if (why.size() > limits::kTextBytesMax) why.resize(limits::kTextBytesMax);
  send(to, Refused{code, std::move(why)}, now);
}

void Peers::flush(Instant now) {
  for (auto& [id, peer] : peers_) {
    while (!peer.outbox.empty()) {
      Waiting& first = peer.outbox.front();
      if (!hand_over(peer, first.frame) && now - first.since < limits::kOutboxMs) break;
      peer.outbox.pop_front();
    }
  }
}

bool Peers::hand_over(Peer& peer, ByteView frame) {
  auto sent = transport_.send(peer.key, frame);
  if (sent) bytes_down_ += frame.size();
  return sent.has_value();
}

}  // namespace freshet
