#include "coordinator/peers.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/limits.h"
#include "base/log.h"
#include "protocol/codec.h"

namespace freshet {
namespace {

constexpr std::int64_t kRefuseEveryMs = 1000;
constexpr double kPeerFramesPerSecond = 2'000,
                 kPeerFramesAtOnce = 4'000;  // of one peer that are looked at
constexpr double kBadFrameCosts = 100;       // times a good one

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
    if (!may_speak(peer, *node, now)) continue;
    auto message = open(*node, inbound->frame);
    if (message) {
      std::optional<Received> received(std::in_place);
      received->node = node->identity.id();
      received->message = std::move(*message);
      return received;
    }
    ++peer.bad_frames;
    peer.allowance -= kBadFrameCosts;
    if (peer.bad_frames == 1 || peer.bad_frames % 1000 == 0)
      log::warning("{} sent a bad frame ({} so far): {}", node->name, peer.bad_frames,
                   message.error().what);
    refuse(node->identity.id(), message.error().code, message.error().what, now);
  }
  return std::optional<Received>();
}

// One that talks without end, or nonsense, costs the others a look at the frame's sender.
bool Peers::may_speak(Peer& peer, const AllowedNode& node, Instant now) {
  const double since_s = static_cast<double>(now - peer.allowance_at) / 1000;
  peer.allowance = std::min(kPeerFramesAtOnce,
                            peer.allowance + std::max(since_s, 0.0) * kPeerFramesPerSecond);
  peer.allowance_at = now;
  if (--peer.allowance >= 0) return true;
  peer.allowance = std::max(peer.allowance, -kPeerFramesPerSecond);
  if (++peer.unread % 1000 == 1)
    log::warning("{} sends more than it may: {} frames were not looked at", node.name, peer.unread);
  return false;
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
  if (const auto* hello = std::get_if<Hello>(&decoded.message)) peer.form = form_for(hello->frames);
  return std::move(decoded.message);
}

void Peers::send(NodeId to, const CoordinatorMessage& message, Instant now) {
  if (!holding_) return send_at_once(to, message, now);
  held_.push_back({to, message});
  urgent_ = urgent_ || !std::holds_alternative<ChunkAck>(message);
}

void Peers::send_at_once(NodeId to, const CoordinatorMessage& message, Instant now,
                         const Digest* data) {
  const auto list = allowed_.list();
  const AllowedNode* node = list->find(to);
  if (node == nullptr) return;
  Peer& peer = peer_of(*node);
  Bytes frame = encode(message, {NodeId{0}, ++sequence_, peer.form}, identity_, data);
  send_frame(to, std::move(frame), std::holds_alternative<Chunk>(message), now);
}

void Peers::release(Instant now) {
  holding_ = urgent_ = false;
  for (const Held& each : std::exchange(held_, {})) send_at_once(each.to, each.message, now);
}

void Peers::forget_held() {
  holding_ = urgent_ = false;
  held_.clear();
}

void Peers::send_frame(NodeId to, Bytes frame, bool bulk, Instant now) {
  Peer& peer = peers_[to];
  if (peer.outbox.empty() && hand_over(peer, frame)) return;
  if (bulk) return;  // never kept: the node asks again
  if (peer.outbox.size() >= limits::kOutboxFrames) peer.outbox.pop_front();
  peer.outbox.push_back({std::move(frame), now});
  waiting_.insert(to);
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
  std::erase_if(waiting_, [&](NodeId id) {
    Peer& peer = peers_[id];
    while (!peer.outbox.empty()) {
      Waiting& first = peer.outbox.front();
      if (!hand_over(peer, first.frame) && now - first.since < limits::kOutboxMs) break;
      peer.outbox.pop_front();
    }
    return peer.outbox.empty();
  });
}

bool Peers::hand_over(Peer& peer, ByteView frame) {
  auto sent = transport_.send(peer.key, frame);
  if (sent) bytes_down_ += frame.size();
  return sent.has_value();
}

}  // namespace freshet
