#pragma once
// Frames between parties that know each other by transport key. Two real users: ZeroMQ ends
// (zeromq_router.h, zeromq_dealer.h) and the simulated network (simulations/). No message content
// here.

#include <optional>
#include <span>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/keys.h"

namespace freshet {

struct Inbound {
  TransportPublic from;  // authenticated by the transport, never taken from the message
  Bytes frame;
};

class Transport {
 public:
  virtual ~Transport() = default;
  // Never blocks. kUnavailable: the peer is not connected or its queue is full; the caller retries
  // later.
  virtual Result<void> send(const TransportPublic& to, ByteView frame) = 0;
  // The next frame, if one is here. Never blocks.
  virtual Result<std::optional<Inbound>> receive() = 0;
  // Returns when a frame may be here, when one of `also` is readable, or after timeout_ms.
  virtual Result<void> wait(std::span<const int> also, int timeout_ms) = 0;
};

}  // namespace freshet
