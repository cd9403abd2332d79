#include "transport/zeromq_dealer.h"

#include <algorithm>
#include <cerrno>
#include <optional>
#include <zmq.hpp>

#include "base/check.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "transport/sockets.h"

namespace freshet {
namespace {

constexpr int kDealerIoThreads = 1;
constexpr char kMonitorAddress[] = "inproc://monitor";
constexpr int kHandshakeFailed = ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
                                 ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
                                 ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;
constexpr int kWatched = kHandshakeFailed | ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED;

// Between half and the whole of `ms`, so that a fleet that lost its coordinator does not come back
// as one.
std::int64_t jittered(std::int64_t ms) {
  std::uint8_t chance = 0;
  random_bytes({&chance, 1});
  return ms - ms * chance / 512;
}

}  // namespace

// libzmq backs off from a closed port, but not from a coordinator that accepts the connection and
// refuses the key: it would try again ten times a second for ever, and after some protocol errors
// never again. So a failed handshake takes the address off the socket, and it is connected anew
// after a back-off of our own.
struct ZeromqDealer::State {
  Context context;
  Socket socket, monitor;
  std::string address;
  TransportPublic coordinator;
  std::string peer;
  SystemClock clock;
  std::string trouble = "not connected yet";
  std::uint64_t connections = 0;
  std::int64_t reconnect_ms = limits::kReconnectMs;
  std::optional<Instant> reconnect_at;

  void heed_monitor();
  void handshake_failed(int event);
  void reconnect_when_due();
};

void ZeromqDealer::State::handshake_failed(int event) {
  const std::string reason =
      event == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH
          ? "the " + peer + " does not let this key in (now); is it enrolled there?"
          : "the handshake failed; check the " + peer +
                "'s key and address, and whether it lets "
                "this key in";
  if (trouble != reason) log::warning("{}: {}", address, reason);
  trouble = reason;
  zmq_disconnect(socket.get(), address.c_str());
  reconnect_at = clock.now() + jittered(reconnect_ms);
  reconnect_ms = std::min<std::int64_t>(2 * reconnect_ms, limits::kReconnectMsMax);
}

void ZeromqDealer::State::heed_monitor() {
  for (;;) {
    zmq::message_t event, endpoint;
    if (zmq_msg_recv(event.handle(), monitor.get(), ZMQ_DONTWAIT) < 0) return;
    if (event.more()) zmq_msg_recv(endpoint.handle(), monitor.get(), 0);
    std::uint16_t number = 0;
    if (event.size() < sizeof number) continue;
    std::memcpy(&number, event.data(), sizeof number);
    if (number == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) {
      if (!trouble.empty()) log::info("connected to {}", address);
      trouble.clear();
      ++connections;
      reconnect_ms = limits::kReconnectMs;
    } else if (number == ZMQ_EVENT_DISCONNECTED) {
      if (trouble.empty()) trouble = "the connection is lost";
    } else if (number & kHandshakeFailed && !reconnect_at) {
      handshake_failed(number);
    }
  }
}

void ZeromqDealer::State::reconnect_when_due() {
  if (!reconnect_at || clock.now() < *reconnect_at) return;
  reconnect_at.reset();
  if (zmq_connect(socket.get(), address.c_str()) != 0) reconnect_at = clock.now() + reconnect_ms;
}

Result<std::unique_ptr<ZeromqDealer>> ZeromqDealer::connect(const std::string& address,
                                                            const Identity& identity,
                                                            const TransportPublic& coordinator,
                                                            std::string_view peer) {
  TRY(check_address(address));
  auto state = std::make_unique<State>();
  state->address = address;
  state->coordinator = coordinator;
  state->peer = peer;
  TRY_ASSIGN(state->context, make_context(kDealerIoThreads));
  TRY_ASSIGN(state->socket, make_socket(state->context.get(), ZMQ_DEALER));
  void* socket = state->socket.get();
  TRY(bound_socket(socket, address));
  TRY(secure_client(socket, identity, coordinator));
  TRY(set_option(socket, ZMQ_RECONNECT_IVL, limits::kReconnectMs));
  TRY(set_option(socket, ZMQ_RECONNECT_IVL_MAX, limits::kReconnectMsMax));
  // Frames are for a connection that stands: what waited for one would arrive in another round.
  TRY(set_option(socket, ZMQ_IMMEDIATE, 1));
  if (zmq_socket_monitor(socket, kMonitorAddress, kWatched) != 0)
    return tl::unexpected(zeromq_error("cannot watch the connection"));
  TRY_ASSIGN(state->monitor, make_socket(state->context.get(), ZMQ_PAIR));
  TRY(set_option(state->monitor.get(), ZMQ_LINGER, 0));
  if (zmq_connect(state->monitor.get(), kMonitorAddress) != 0)
    return tl::unexpected(zeromq_error("cannot watch the connection"));
  if (zmq_connect(socket, address.c_str()) != 0)
    return fail(Code::kBadInput, "cannot connect to " + address + ": " + zmq_strerror(zmq_errno()));
  return std::unique_ptr<ZeromqDealer>(new ZeromqDealer(std::move(state)));
}

ZeromqDealer::ZeromqDealer(std::unique_ptr<State> state) : state_(std::move(state)) {}
ZeromqDealer::~ZeromqDealer() = default;

std::uint64_t ZeromqDealer::connections() const { return state_->connections; }

Result<void> ZeromqDealer::send(const TransportPublic& to, ByteView frame) {
  CHECK(to == state_->coordinator, "a node sends to its coordinator only");
  if (frame.size() > limits::kFrameBytesMax)
    return fail(Code::kBadInput,
                "a frame of " + std::to_string(frame.size()) + " bytes is too large to send");
  state_->heed_monitor();
  state_->reconnect_when_due();
  if (zmq_send(state_->socket.get(), frame.data(), frame.size(), ZMQ_DONTWAIT) >= 0) return {};
  if (zmq_errno() != EAGAIN)
    return tl::unexpected(zeromq_error("cannot send to " + state_->address));
  const std::string& trouble = state_->trouble;
  return fail(Code::kUnavailable,
              state_->address + ": " +
                  (trouble.empty() ? "the coordinator does not take frames fast enough" : trouble));
}

Result<std::optional<Inbound>> ZeromqDealer::receive() {
  state_->heed_monitor();
  state_->reconnect_when_due();
  zmq::message_t frame;
  for (int passed = 0; passed <= limits::kPeerQueueFrames; ++passed) {
    if (zmq_msg_recv(frame.handle(), state_->socket.get(), ZMQ_DONTWAIT) < 0) {
      if (zmq_errno() == EAGAIN || zmq_errno() == EINTR) return std::nullopt;
      return tl::unexpected(zeromq_error("cannot receive from " + state_->address));
    }
    const auto* bytes = static_cast<const std::uint8_t*>(frame.data());
    if (!frame.more()) return Inbound{state_->coordinator, Bytes(bytes, bytes + frame.size())};
    while (frame.more() && zmq_msg_recv(frame.handle(), state_->socket.get(), 0) >= 0) {
    }
  }
  return std::nullopt;
}

Result<void> ZeromqDealer::wait(std::span<const int> also, int timeout_ms) {
  state_->heed_monitor();
  state_->reconnect_when_due();
  if (state_->reconnect_at)
    timeout_ms = static_cast<int>(std::clamp<std::int64_t>(
        *state_->reconnect_at - state_->clock.now(), 0, std::max(timeout_ms, 0)));
  void* const sockets[] = {state_->socket.get(), state_->monitor.get()};
  return wait_for(sockets, also, timeout_ms);
}

}  // namespace freshet
