#include "transport/zeromq_router.h"

#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <optional>
#include <zmq.hpp>

#include "base/limits.h"
#include "base/log.h"
#include "transport/sockets.h"
#include "transport/zap_handler.h"

namespace freshet {
namespace {

constexpr int kRouterIoThreads = 2;

// Every peer is a descriptor, and a login shell allows 1,024 of them.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const rlim_t wanted = std::min<rlim_t>(limit.rlim_max, limits::kPeersMax + 1024);
  if (limit.rlim_cur >= wanted) return;
  limit.rlim_cur = wanted;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

Result<void> bind_socket(void* socket, const std::string& address) {
  if (zmq_bind(socket, address.c_str()) == 0) return {};
  switch (zmq_errno()) {
    case EADDRINUSE:
      return fail(Code::kUnavailable,
                  address +
                      " is in use by another program; stop it (`ss -ltnp` shows it) or "
                      "choose another port");
    case EACCES:
      return fail(Code::kRefused,
                  address + " may not be opened by this user; choose a port from 1024 on");
    case ENODEV:
    case EADDRNOTAVAIL:
      return fail(Code::kBadInput,
                  address +
                      " names no address of this machine; use one of its IP addresses or "
                      "tcp://*:PORT for all of them");
    default:
      return fail(Code::kBadInput,
                  "cannot listen on " + address + ": " + zmq_strerror(zmq_errno()));
  }
}

// The key that the ZAP handler put there; nothing for a message that did not come through it.
std::optional<TransportPublic> sender_of(zmq::message_t& message) {
  const char* user_id = zmq_msg_gets(message.handle(), "User-Id");
  if (!user_id) return std::nullopt;
  Result<Digest> bytes = digest_from_hex(user_id);
  if (!bytes) return std::nullopt;
  return TransportPublic{*bytes};
}

}  // namespace

// A peer is its key. The routing id, which a peer may choose, only says where its latest connection
// is: it is learnt from authenticated messages and never names anybody. ROUTER_HANDOVER stays off,
// so that an insider who uses another's routing id is ignored instead of evicting it; our own ends
// let libzmq choose, which leaves nothing to squat, and after a reconnect the new connection's
// first message moves the key to it.
struct ZeromqRouter::State {
  Context context;
  std::unique_ptr<ZapHandler> zap;
  Socket socket;
  Admits admits;
  std::string address;
  std::map<TransportPublic, std::string> routing_ids;

  Result<std::optional<Inbound>> receive_one(bool& more_waiting);
};

// One message, read to its end. Nothing comes back for one that nobody may have sent.
Result<std::optional<Inbound>> ZeromqRouter::State::receive_one(bool& more_waiting) {
  zmq::message_t routing_id, frame;
  more_waiting = zmq_msg_recv(routing_id.handle(), socket.get(), ZMQ_DONTWAIT) >= 0;
  if (!more_waiting && zmq_errno() != EAGAIN && zmq_errno() != EINTR)
    return tl::unexpected(zeromq_error("cannot receive"));
  if (!more_waiting) return std::nullopt;
  std::size_t parts = 0;
  for (bool more = routing_id.more(); more; ++parts) {
    zmq::message_t extra;
    zmq::message_t& part = parts == 0 ? frame : extra;
    if (zmq_msg_recv(part.handle(), socket.get(), 0) < 0)
      return tl::unexpected(zeromq_error("cannot receive"));
    more = part.more();
  }
  const std::optional<TransportPublic> from = parts == 1 ? sender_of(frame) : std::nullopt;
  if (!from) return std::nullopt;
  if (!admits(*from)) {
    routing_ids.erase(*from);
    return std::nullopt;
  }
  const auto known = routing_ids.find(*from);
  if (known == routing_ids.end() && routing_ids.size() >= limits::kPeersMax) {
    log::warning("a frame from {} is dropped: {} peers are as many as one router has",
                 short_hex(from->bytes), limits::kPeersMax);
    return std::nullopt;
  }
  if (known == routing_ids.end()) {
    routing_ids.emplace(*from, routing_id.to_string());
  } else if (known->second != routing_id.to_string_view()) {
    known->second = routing_id.to_string();
  }
  const auto* bytes = static_cast<const std::uint8_t*>(frame.data());
  return Inbound{*from, Bytes(bytes, bytes + frame.size())};
}

Result<std::unique_ptr<ZeromqRouter>> ZeromqRouter::bind(const std::string& address,
                                                         const Identity& identity, Door door) {
  TRY(check_address(address));
  raise_descriptor_limit();
  auto state = std::make_unique<State>();
  state->admits = std::move(door.admits);
  if (!door.handshake)
    door.handshake = [admits = state->admits](const TransportPublic& key, std::string_view) {
      return admits(key);
    };
  TRY_ASSIGN(state->context, make_context(kRouterIoThreads));
  TRY_ASSIGN(state->zap, ZapHandler::start(state->context.get(), std::move(door.handshake)));
  TRY_ASSIGN(state->socket, make_socket(state->context.get(), ZMQ_ROUTER));
  void* socket = state->socket.get();
  TRY(bound_socket(socket, address, door.frame_bytes_max));
  TRY(secure_server(socket, identity, door.domain));
  TRY(set_option(socket, ZMQ_ROUTER_MANDATORY, 1));
  TRY(set_option(socket, ZMQ_ROUTER_HANDOVER, 0));
  TRY(set_option(socket, ZMQ_BACKLOG, limits::kConnectionsWaitingMax));
  TRY(bind_socket(socket, address));
  char endpoint[256];
  std::size_t size = sizeof endpoint;
  if (zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, endpoint, &size) != 0)
    return tl::unexpected(zeromq_error("cannot tell the port of " + address));
  state->address = endpoint;
  return std::unique_ptr<ZeromqRouter>(new ZeromqRouter(std::move(state)));
}

ZeromqRouter::ZeromqRouter(std::unique_ptr<State> state) : state_(std::move(state)) {}
ZeromqRouter::~ZeromqRouter() = default;

void ZeromqRouter::forget(const TransportPublic& key) { state_->routing_ids.erase(key); }

std::string ZeromqRouter::address() const { return state_->address; }

Result<void> ZeromqRouter::send(const TransportPublic& to, ByteView frame) {
  if (frame.size() > limits::kFrameBytesMax)
    return fail(Code::kBadInput,
                "a frame of " + std::to_string(frame.size()) + " bytes is too large to send");
  if (!state_->admits(to))
    return fail(Code::kRefused, "key " + short_hex(to.bytes) + " is not listed (any more)");
  const auto found = state_->routing_ids.find(to);
  if (found == state_->routing_ids.end())
    return fail(Code::kUnavailable,
                "key " + short_hex(to.bytes) + " has not spoken since this start");
  void* socket = state_->socket.get();
  if (zmq_send(socket, found->second.data(), found->second.size(), ZMQ_SNDMORE | ZMQ_DONTWAIT) <
      0) {
    const bool gone = zmq_errno() == EHOSTUNREACH;
    if (!gone && zmq_errno() != EAGAIN) return tl::unexpected(zeromq_error("cannot send"));
    if (gone) state_->routing_ids.erase(found);
    return fail(Code::kUnavailable,
                "key " + short_hex(to.bytes) +
                    (gone ? " is not connected" : " does not take frames fast enough"));
  }
  // The router has decided with the first part: this one is taken, or dropped with a connection
  // that just ended.
  if (zmq_send(socket, frame.data(), frame.size(), ZMQ_DONTWAIT) < 0)
    return tl::unexpected(zeromq_error("cannot send"));
  return {};
}

Result<std::optional<Inbound>> ZeromqRouter::receive() {
  // Messages that may not come in are passed over, as many a call as a peer may have waiting.
  bool more_waiting = true;
  for (int passed = 0; more_waiting && passed <= limits::kPeerQueueFrames; ++passed) {
    TRY_ASSIGN(std::optional<Inbound> inbound, state_->receive_one(more_waiting));
    if (inbound) return inbound;
  }
  return std::nullopt;
}

Result<void> ZeromqRouter::wait(std::span<const int> also, int timeout_ms) {
  void* const sockets[] = {state_->socket.get()};
  return wait_for(sockets, also, timeout_ms);
}

}  // namespace freshet
