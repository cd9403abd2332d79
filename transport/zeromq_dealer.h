#pragma once
// A node's end: a DEALER that talks to one coordinator (or another peer, by its name in messages to
// people) whose transport key it has pinned. For one
// thread. Until the handshake is over and whenever the connection is lost, send() says kUnavailable
// and why; nothing is queued for later.

#include <memory>
#include <string>

#include "transport/transport.h"

namespace freshet {

class ZeromqDealer final : public Transport {
 public:
  // Connects in the background with exponential back-off. kBadInput for a malformed address.
  static Result<std::unique_ptr<ZeromqDealer>> connect(const std::string& address,
                                                       const Identity& identity,
                                                       const TransportPublic& coordinator,
                                                       std::string_view peer = "coordinator");
  ~ZeromqDealer() override;

  // `to` must be the pinned coordinator.
  Result<void> send(const TransportPublic& to, ByteView frame) override;
  Result<std::optional<Inbound>> receive() override;
  Result<void> wait(std::span<const int> also, int timeout_ms) override;
  // Handshakes that succeeded: one more, and what was under way on the connection before is lost.
  std::uint64_t connections() const;

 private:
  struct State;
  explicit ZeromqDealer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace freshet
