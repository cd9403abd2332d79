#pragma once
// What both ZeroMQ ends share: the options that bound a peer, and waiting. Handles are libzmq's own
// (void*), so that its headers stay in the sources. For this folder only.

#include <memory>
#include <span>
#include <string>

#include "base/limits.h"
#include "crypto/keys.h"

namespace freshet {

struct ContextCloser {
  void operator()(void* context) const;
};
struct SocketCloser {
  void operator()(void* socket) const;
};
using Context = std::unique_ptr<void, ContextCloser>;  // goes after its sockets
using Socket = std::unique_ptr<void, SocketCloser>;

Result<Context> make_context(int io_threads);
Result<Socket> make_socket(void* context, int type);

// Bounds on frame size, queues and handshakes; TCP keep-alive in the kernel in place of ZeroMQ's
// heartbeats, which cost the coordinator 80 % of a core at 10,000 peers (liveness of a peer is the
// application's business).
Result<void> bound_socket(void* socket, const std::string& address,
                          std::size_t frame_bytes_max = limits::kFrameBytesMax);

// CURVE server that fails closed: the ZAP domain is set and enforced. REQUIRES: a ZapHandler of the
// same context, and a domain that is not empty.
Result<void> secure_server(void* socket, const Identity& identity, const std::string& domain);
Result<void> secure_client(void* socket, const Identity& identity, const TransportPublic& server);

// kBadInput unless `address` is tcp://HOST:PORT.
Result<void> check_address(const std::string& address);

// Returns when one of `sockets` or of `also` is readable, on a signal, or after timeout_ms.
Result<void> wait_for(std::span<void* const> sockets, std::span<const int> also, int timeout_ms);

Result<void> set_option(void* socket, int option, int value);
Result<void> set_option(void* socket, int option, ByteView value);

// The last libzmq error of this thread, with `what` before it.
Error zeromq_error(std::string_view what);

}  // namespace freshet
