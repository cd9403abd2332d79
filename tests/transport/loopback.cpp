#include "tests/transport/loopback.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <mutex>
#include <zmq.hpp>

#include "base/clock.h"

namespace freshet {

struct AllowList::Shared {
  std::mutex mutex;
  std::set<TransportPublic> keys;
};

AllowList::AllowList() : shared_(std::make_shared<Shared>()) {}

void AllowList::add(const TransportPublic& key) {
  std::lock_guard lock(shared_->mutex);
  shared_->keys.insert(key);
}

void AllowList::strike(const TransportPublic& key) {
  std::lock_guard lock(shared_->mutex);
  shared_->keys.erase(key);
}

ZeromqRouter::Admits AllowList::admits() const {
  return [shared = shared_](const TransportPublic& key) {
    std::lock_guard lock(shared->mutex);
    return shared->keys.contains(key);
  };
}

bool until(std::vector<Transport*> ends, const std::function<bool()>& done) {
  const SystemClock clock;
  const Instant deadline = clock.now() + kPatienceMs;
  while (!done()) {
    if (clock.now() > deadline) return false;
    for (Transport* end : ends) EXPECT_TRUE(end->wait({}, 5));
  }
  return true;
}

bool deliver(Transport& from, const TransportPublic& to, ByteView frame,
             const std::vector<Transport*>& ends) {
  std::vector<Transport*> all = ends;
  all.push_back(&from);
  return until(all, [&] { return from.send(to, frame).has_value(); });
}

std::optional<Inbound> next(Transport& at, const std::vector<Transport*>& ends) {
  std::vector<Transport*> all = ends;
  all.push_back(&at);
  std::optional<Inbound> found;
  until(all, [&] {
    auto received = at.receive();
    EXPECT_TRUE(received) << received.error().what;
    if (received) found = std::move(*received);
    return found.has_value() || !received;
  });
  return found;
}

PlainClient::PlainClient(const std::string& address, Mechanism mechanism, const Identity& identity,
                         const TransportPublic& server, std::string_view routing_id)
    : context_(make_context(1).value()), socket_(make_socket(context_.get(), ZMQ_DEALER).value()) {
  void* socket = socket_.get();
  EXPECT_TRUE(set_option(socket, ZMQ_LINGER, 0));
  if (!routing_id.empty()) {
    EXPECT_TRUE(set_option(socket, ZMQ_ROUTING_ID, as_bytes(routing_id)));
  }
  if (mechanism == Mechanism::kPlain) {
    EXPECT_TRUE(set_option(socket, ZMQ_PLAIN_USERNAME, as_bytes("admin")));
    EXPECT_TRUE(set_option(socket, ZMQ_PLAIN_PASSWORD, as_bytes("admin")));
  }
  if (mechanism == Mechanism::kCurve) {
    EXPECT_TRUE(secure_client(socket, identity, server));
  }
  EXPECT_EQ(zmq_socket_monitor(socket, "inproc://events", ZMQ_EVENT_ALL), 0);
  monitor_ = make_socket(context_.get(), ZMQ_PAIR).value();
  EXPECT_TRUE(set_option(monitor_.get(), ZMQ_LINGER, 0));
  EXPECT_EQ(zmq_connect(monitor_.get(), "inproc://events"), 0);
  EXPECT_EQ(zmq_connect(socket, address.c_str()), 0);
}

int PlainClient::next_event(std::set<int> events) {
  const SystemClock clock;
  const Instant deadline = clock.now() + kPatienceMs;
  while (clock.now() < deadline) {
    void* const sockets[] = {monitor_.get()};
    EXPECT_TRUE(wait_for(sockets, {}, 100));
    zmq::message_t event, peer;
    if (zmq_msg_recv(event.handle(), monitor_.get(), ZMQ_DONTWAIT) < 0) continue;
    zmq_msg_recv(peer.handle(), monitor_.get(), 0);
    std::uint16_t number = 0;
    std::memcpy(&number, event.data(), sizeof number);
    if (events.contains(number)) return number;
  }
  return 0;
}

PlainClient::Outcome PlainClient::outcome() {
  switch (next_event({ZMQ_EVENT_HANDSHAKE_SUCCEEDED, ZMQ_EVENT_HANDSHAKE_FAILED_AUTH,
                      ZMQ_EVENT_DISCONNECTED, ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL,
                      ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL})) {
    case 0: return Outcome::kNeither;
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED: return Outcome::kAdmitted;
    default: return Outcome::kRefused;
  }
}

bool PlainClient::closed() { return next_event({ZMQ_EVENT_DISCONNECTED}) != 0; }

bool PlainClient::send(const std::vector<Bytes>& parts) {
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const int flags = ZMQ_DONTWAIT | (i + 1 < parts.size() ? ZMQ_SNDMORE : 0);
    if (zmq_send(socket_.get(), parts[i].data(), parts[i].size(), flags) < 0) return false;
  }
  return true;
}

TcpConnection::TcpConnection(const std::string& address)
    : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port =
      htons(static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to), 0);
}

TcpConnection::~TcpConnection() { ::close(fd_); }

void TcpConnection::send(ByteView bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;  // the peer has had enough
    bytes = bytes.subspan(static_cast<std::size_t>(sent));
  }
}

bool TcpConnection::closed_by_peer() {
  const SystemClock clock;
  const Instant deadline = clock.now() + kPatienceMs;
  while (clock.now() < deadline) {
    pollfd item{fd_, POLLIN, 0};
    ::poll(&item, 1, 100);
    char buffer[4096];
    const ssize_t got = ::recv(fd_, buffer, sizeof buffer, MSG_DONTWAIT);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) return true;
  }
  return false;
}

}  // namespace freshet
