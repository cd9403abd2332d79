#include "transport/sockets.h"

#include <zmq.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <vector>

#include "base/check.h"
#include "base/limits.h"

namespace freshet {
namespace {

// A draft option: released headers do not name it, the library honours it.
constexpr int kZapEnforceDomain = 93;

// What a CURVE MESSAGE command adds to a frame: its name, a nonce, a tag and a byte of flags (ZeroMQ RFC 26). The
// bound on sizes is applied to the command.
constexpr std::size_t kCurveBytes = 8 + 8 + 16 + 1;

// On an IPv6 socket the address would come back as ::ffff:a.b.c.d.
bool is_ipv4(const std::string& address) {
  return address.find_first_not_of("0123456789.:", std::string_view("tcp://").size()) == std::string::npos;
}

}  // namespace

void ContextCloser::operator()(void* context) const { zmq_ctx_term(context); }
void SocketCloser::operator()(void* socket) const { zmq_close(socket); }

Result<Context> make_context(int io_threads) {
  Context context(zmq_ctx_new());
  if (!context || zmq_ctx_set(context.get(), ZMQ_IO_THREADS, io_threads) != 0)
    return tl::unexpected(zeromq_error("cannot start ZeroMQ"));
  return context;
}

Result<Socket> make_socket(void* context, int type) {
  Socket socket(zmq_socket(context, type));
  if (!socket) return tl::unexpected(zeromq_error("cannot create a ZeroMQ socket"));
  return socket;
}

Error zeromq_error(std::string_view what) {
  return {Code::kUnavailable, std::string(what) + ": " + zmq_strerror(zmq_errno())};
}

Result<void> set_option(void* socket, int option, int value) {
  if (zmq_setsockopt(socket, option, &value, sizeof value) == 0) return {};
  return tl::unexpected(zeromq_error("cannot set ZeroMQ option " + std::to_string(option)));
}

Result<void> set_option(void* socket, int option, ByteView value) {
  if (zmq_setsockopt(socket, option, value.data(), value.size()) == 0) return {};
  return tl::unexpected(zeromq_error("cannot set ZeroMQ option " + std::to_string(option)));
}

Result<void> bound_socket(void* socket, const std::string& address, std::size_t frame_bytes_max) {
  const auto command_bytes_max = static_cast<std::int64_t>(frame_bytes_max + kCurveBytes);
  TRY(set_option(socket, ZMQ_MAXMSGSIZE, as_bytes(std::span(&command_bytes_max, 1))));
  const std::pair<int, int> options[] = {
      {ZMQ_RCVHWM, limits::kPeerQueueFrames},
      {ZMQ_SNDHWM, limits::kPeerQueueFrames},
      {ZMQ_HANDSHAKE_IVL, limits::kHandshakeMs},
      {ZMQ_LINGER, limits::kLingerMs},
      {ZMQ_HEARTBEAT_IVL, 0},
      {ZMQ_TCP_KEEPALIVE, 1},
      {ZMQ_TCP_KEEPALIVE_IDLE, 30},
      {ZMQ_TCP_KEEPALIVE_INTVL, 10},
      {ZMQ_TCP_KEEPALIVE_CNT, 3},
      {ZMQ_IPV6, is_ipv4(address) ? 0 : 1},
  };
  for (auto [option, value] : options) TRY(set_option(socket, option, value));
  return {};
}

Result<void> secure_server(void* socket, const Identity& identity, const std::string& domain) {
  CHECK(!domain.empty(), "a server without a domain lets everybody in");
  TRY(set_option(socket, ZMQ_CURVE_SERVER, 1));
  TRY(set_option(socket, ZMQ_CURVE_SECRETKEY, identity.transport.view()));
  TRY(set_option(socket, ZMQ_ZAP_DOMAIN, as_bytes(domain)));
  int enforced = 0;
  std::size_t size = sizeof enforced;
  if (!set_option(socket, kZapEnforceDomain, 1) ||
      zmq_getsockopt(socket, kZapEnforceDomain, &enforced, &size) != 0 || enforced != 1)
    return fail(Code::kRefused,
                "this libzmq cannot enforce authentication (ZMQ_ZAP_ENFORCE_DOMAIN) and would let "
                "every key in; "
                "install libzmq 4.3 or later");
  return {};
}

Result<void> secure_client(void* socket, const Identity& identity, const TransportPublic& server) {
  TRY(set_option(socket, ZMQ_CURVE_SERVERKEY, server.bytes));
  TRY(set_option(socket, ZMQ_CURVE_PUBLICKEY, identity.open.transport.bytes));
  return set_option(socket, ZMQ_CURVE_SECRETKEY, identity.transport.view());
}

Result<void> check_address(const std::string& address) {
  const std::string_view text(address);
  const std::size_t colon = text.rfind(':');
  const std::string_view port = colon == text.npos ? std::string_view() : text.substr(colon + 1);
  std::uint16_t number = 0;
  const auto parsed = std::from_chars(port.data(), port.data() + port.size(), number);
  const bool whole = parsed.ec == std::errc() && parsed.ptr == port.data() + port.size();
  if (!text.starts_with("tcp://") || colon <= 6 || !whole || text.size() > limits::kTextBytesMax)
    return fail(Code::kBadInput,
                "\"" + address.substr(0, 100) + "\" is no address; write tcp://HOST:PORT");
  return {};
}

Result<void> wait_for(std::span<void* const> sockets, std::span<const int> also, int timeout_ms) {
  std::vector<zmq_pollitem_t> items;
  items.reserve(sockets.size() + also.size());
  for (void* socket : sockets) items.push_back({socket, 0, ZMQ_POLLIN, 0});
  for (int fd : also) items.push_back({nullptr, fd, ZMQ_POLLIN, 0});
  if (zmq_poll(items.data(), static_cast<int>(items.size()), std::max(timeout_ms, 0)) < 0 &&
      zmq_errno() != EINTR)
    return tl::unexpected(zeromq_error("cannot wait for frames"));
  return {};
}

}  // namespace freshet
