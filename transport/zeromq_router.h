#pragma once
// The coordinator's end: a ROUTER with CURVE and a ZAP handler that admits listed transport keys
// only. Fails closed: ZMQ_ZAP_ENFORCE_DOMAIN and a non-empty domain are set before bind, and a
// library without that option is refused. For one thread. Frames to a key go to the connection that
// spoke last with it; send() to a key that is not listed (any more) is kRefused.

#include <functional>
#include <memory>
#include <string>

#include "base/limits.h"
#include "transport/transport.h"

namespace freshet {

class ZeromqRouter final : public Transport {
 public:
  // Asked at every handshake and again for every message, so that a revoked key is out at once.
  using Admits = std::function<bool(const TransportPublic&)>;  // called on two threads

  // May this key of that address open a connection? Asked on another thread, before Admits.
  using Handshake = std::function<bool(const TransportPublic&, std::string_view address)>;

  struct Door {
    Admits admits;
    Handshake handshake;             // empty: as `admits` says
    std::string domain = "freshet";  // of ZAP: what strangers may enter is another one
    std::size_t frame_bytes_max = limits::kFrameBytesMax;  // of what comes in
  };

  // `address`: "tcp://127.0.0.1:0" binds any free port. kUnavailable: port in use (says which and
  // what to do).
  static Result<std::unique_ptr<ZeromqRouter>> bind(const std::string& address,
                                                    const Identity& identity, Door door);
  static Result<std::unique_ptr<ZeromqRouter>> bind(const std::string& address,
                                                    const Identity& identity, Admits admits) {
    return bind(address, identity, Door{std::move(admits), {}});
  }
  ~ZeromqRouter() override;

  void forget(const TransportPublic& key);  // who will not be spoken to any more
  std::string address() const;              // with the real port
  Result<void> send(const TransportPublic& to, ByteView frame) override;
  Result<std::optional<Inbound>> receive() override;
  Result<void> wait(std::span<const int> also, int timeout_ms) override;

 private:
  struct State;
  explicit ZeromqRouter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace freshet
