#pragma once
// The nodes as the coordinator's driver meets them: frames become messages of an allowed node once
// transport key, signature and sequence agree; messages become signed frames, kept for a while when
// a peer's queue is full. Bad frames are counted against their sender and answered at most once a
// second.

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "base/clock.h"
#include "coordinator/allow_list.h"
#include "protocol/messages.h"
#include "transport/transport.h"

namespace freshet {

class Peers {
 public:
  // All outlive this object.
  Peers(Transport& transport, const Identity& identity, const AllowedNodes& allowed);

  struct Received {
    NodeId node;
    NodeMessage message;
  };
  // The next message that is really from an allowed node; looks at limits::kFramesPerTurn frames at
  // most.
  Result<std::optional<Received>> receive(Instant now);

  void send(NodeId to, const CoordinatorMessage& message, Instant now);
  // Of what rests on nothing that is not durable: hold() does not keep it. `data`: the digest of
  // the message's data, where it is known already.
  void send_at_once(NodeId to, const CoordinatorMessage& message, Instant now,
                    const Digest* data = nullptr);
  void refuse(NodeId to, Code code, std::string why, Instant now);  // at most once a second
  void flush(Instant now);

  // What is said from hold() on stays here until release(): until what it rests on is durable.
  void hold() { holding_ = true; }
  // More is held than acknowledgements, for which nobody waits.
  bool holds_urgent() const { return urgent_; }
  void release(Instant now);
  void forget_held();  // it did not become durable: it was never said

  std::uint64_t bytes_up() const { return bytes_up_; }      // frames from nodes
  std::uint64_t bytes_down() const { return bytes_down_; }  // frames to nodes

 private:
  struct Waiting {
    Bytes frame;
    Instant since;
  };
  struct Peer {
    TransportPublic key;
    std::uint64_t received = 0;  // highest sequence seen
    std::uint64_t bad_frames = 0, unread = 0;
    double allowance = 0;  // frames that may come now
    Instant allowance_at;
    std::uint16_t form = 1;  // of frame, that it reads
    std::optional<Instant> refused_at;
    std::deque<Waiting> outbox;
  };
  struct Held {
    NodeId to;
    CoordinatorMessage message;
  };
  Peer& peer_of(const AllowedNode& node);
  void send_frame(NodeId to, Bytes frame, bool bulk, Instant now);
  bool may_speak(Peer& peer, const AllowedNode& node, Instant now);
  Result<NodeMessage> open(const AllowedNode& node, ByteView frame);
  bool hand_over(Peer& peer, ByteView frame);

  Transport& transport_;
  const Identity& identity_;
  const AllowedNodes& allowed_;
  std::map<NodeId, Peer> peers_;
  std::set<NodeId> waiting_;  // those with an outbox that is not empty
  bool holding_ = false, urgent_ = false;
  std::vector<Held> held_;
  std::uint64_t sequence_;
  std::uint64_t bytes_up_ = 0, bytes_down_ = 0;
};

}  // namespace freshet
