#include "transport/zap_handler.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <exception>
#include <system_error>
#include <thread>
#include <vector>
#include <zmq.hpp>

#include "base/check.h"
#include "base/files.h"
#include "base/log.h"
#include "transport/sockets.h"

namespace freshet {
namespace {

constexpr const char* kEndpoint = "inproc://zeromq.zap.01";  // RFC 27's

// A request: version, request id, domain, address, routing id, mechanism, credentials...
constexpr std::size_t kRequestId = 1, kAddress = 3, kMechanism = 5, kCredentials = 6, kParts = 7,
                      kPartsMax = 16;

std::optional<TransportPublic> key_of(const std::vector<zmq::message_t>& request) {
  TransportPublic key;
  if (request.size() != kParts || request[0].to_string_view() != "1.0" ||
      request[kMechanism].to_string_view() != "CURVE" ||
      request[kCredentials].size() != key.bytes.size())
    return std::nullopt;
  std::memcpy(key.bytes.data(), request[kCredentials].data(), key.bytes.size());
  return key;
}

}  // namespace

struct ZapHandler::State {
  Socket socket;
  ZeromqRouter::Handshake admits;
  UniqueFd stop;
  std::thread thread;

  void run();
  void answer();
  bool admitted(const TransportPublic& key, std::string_view address) const;
};

bool ZapHandler::State::admitted(const TransportPublic& key, std::string_view address) const {
  try {
    return admits(key, address);
  } catch (const std::exception& error) {
    log::error("a node is refused because its key could not be looked up: {}", error.what());
    return false;
  }
}

void ZapHandler::State::answer() {
  std::vector<zmq::message_t> request;
  for (bool more = true; more;) {
    zmq::message_t part;
    if (zmq_msg_recv(part.handle(), socket.get(), 0) < 0) return;
    more = part.more();
    if (request.size() < kPartsMax) request.push_back(std::move(part));
  }
  if (request.size() <= kRequestId) return;
  const std::optional<TransportPublic> key = key_of(request);
  const std::string_view address =
      request.size() > kAddress ? request[kAddress].to_string_view() : "?";
  const bool in = key && admitted(*key, address);
  if (!in)
    log::warning(
        "refused a connection from {}: {}", address,
        key ? "transport key " + short_hex(key->bytes) + " is not listed" : "no CURVE key");
  const std::string user_id = in ? to_hex(key->bytes) : std::string();
  const std::string_view parts[] = {"1.0",
                                    request[kRequestId].to_string_view(),
                                    in ? "200" : "400",
                                    in ? "OK" : "key not listed",
                                    user_id,
                                    ""};
  for (std::size_t i = 0; i < std::size(parts); ++i)
    zmq_send(socket.get(), parts[i].data(), parts[i].size(),
             i + 1 < std::size(parts) ? ZMQ_SNDMORE : 0);
}

void ZapHandler::State::run() {
  for (;;) {
    zmq_pollitem_t items[] = {{socket.get(), 0, ZMQ_POLLIN, 0},
                              {nullptr, stop.get(), ZMQ_POLLIN, 0}};
    if (zmq_poll(items, 2, -1) < 0 && zmq_errno() != EINTR) {
      log::error("the authentication thread ends ({}); no node can connect any more: start again",
                 zmq_strerror(zmq_errno()));
      break;
    }
    if (items[1].revents) break;
    if (items[0].revents) answer();
  }
  // Closing alone gives the name free only some time later, and the next handler could not start.
  zmq_unbind(socket.get(), kEndpoint);
  socket.reset();
}

Result<std::unique_ptr<ZapHandler>> ZapHandler::start(void* context,
                                                      ZeromqRouter::Handshake admits) {
  auto state = std::make_unique<State>();
  state->admits = std::move(admits);
  state->stop = UniqueFd(::eventfd(0, EFD_CLOEXEC));
  if (!state->stop) return tl::unexpected(errno_error("cannot create", "an event descriptor"));
  TRY_ASSIGN(state->socket, make_socket(context, ZMQ_REP));
  if (zmq_bind(state->socket.get(), kEndpoint) != 0)
    return tl::unexpected(zeromq_error("cannot start the authentication thread"));
  try {
    state->thread = std::thread(&State::run, state.get());
  } catch (const std::system_error& error) {
    return fail(Code::kUnavailable,
                std::string("cannot start the authentication thread: ") + error.what());
  }
  return std::unique_ptr<ZapHandler>(new ZapHandler(std::move(state)));
}

ZapHandler::ZapHandler(std::unique_ptr<State> state) : state_(std::move(state)) {}

ZapHandler::~ZapHandler() {
  const std::uint64_t one = 1;
  CHECK(::write(state_->stop.get(), &one, sizeof one) == sizeof one);
  state_->thread.join();
}

}  // namespace freshet
