#pragma once
// The coordinator's end: a ROUTER with CURVE and a ZAP handler that admits listed transport keys
// only. Fails closed: ZMQ_ZAP_ENFORCE_DOMAIN and a non-empty domain are set before bind, and a
// library without that option is refused. For one thread. Frames to a key go to the connection that
// spoke last with it; send() to a key that is not listed (any more) is kRefused.

#include <functional>
#include <memory>
#include <string>

#include "transport/transport.h"

namespace freshet {

class ZeromqRouter final : public Transport {
 public:
  // Asked at every handshake and again for every message, so that a revoked key is out at once.
  using Admits = std::function<bool(const TransportPublic&)>;  // called on two threads

  // `address`: "tcp://127.0.0.1:0" binds any free port. kUnavailable: port in use (says which and
  // what to do).
  static Result<std::unique_ptr<ZeromqRouter>> bind(const std::string& address,
                                                    const Identity& identity, Admits admits);
  ~ZeromqRouter() override;

  std::string address() const;  // with the real port
  Result<void> send(const TransportPublic& to, ByteView frame) override;
  Result<std::optional<Inbound>> receive() override;
  Result<void> wait(std::span<const int> also, int timeout_ms) override;

 private:
  struct State;
  explicit ZeromqRouter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace freshet
