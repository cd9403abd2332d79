#include "cli/demo/tap.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <mutex>
#include <optional>
#include <thread>

#include "base/limits.h"

namespace freshet::demo {
namespace {

constexpr std::size_t kPieceBytes = 64 * limits::kKiB;
constexpr std::size_t kConnectionsMax = 256;

Result<std::uint16_t> port_of(std::string_view endpoint) {
  constexpr std::string_view kPrefix = "tcp://127.0.0.1:";
  std::uint16_t port = 0;
  bool known = endpoint.substr(0, kPrefix.size()) == kPrefix;
  std::string_view digits = known ? endpoint.substr(kPrefix.size()) : std::string_view{};
  while (!digits.empty() && (digits.back() == '\n' || digits.back() == ' '))
    digits.remove_suffix(1);
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (!known || digits.empty() || error != std::errc{} || end != digits.data() + digits.size() ||
      port == 0)
    return fail(Code::kBadInput,
                "\"" + std::string(endpoint) + "\" is no address of the form tcp://127.0.0.1:PORT");
  return port;
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// One direction of one connection: at most one piece is held, so a slow reader slows the writer
// down.
struct Pipe {
  int from, to;
  std::vector<std::uint8_t> held;
  std::size_t sent = 0;
  bool over = false;  // `from` said that it is done

  bool wants_input() const { return !over && held.empty(); }
  bool wants_output() const { return !held.empty(); }
};

struct Connection {
  std::size_t node;
  UniqueFd near, far, record;
  Path path;
  Pipe up, down;
  bool broken = false;
};

}  // namespace

struct Tap::Relay {
  std::uint16_t target = 0;
  Path folder;
  std::vector<UniqueFd> listeners;
  std::vector<std::uint16_t> ports;
  std::vector<std::atomic<std::uint64_t>> up, down;
  UniqueFd stop;
  std::thread thread;
  mutable std::mutex mutex;  // of `trouble`
  std::optional<Error> trouble;
  std::vector<std::unique_ptr<Connection>> connections;
  std::size_t made = 0;

  explicit Relay(std::size_t nodes) : up(nodes), down(nodes) {}

  Result<void> listen_for(std::size_t nodes);
  void run();
  void accept_one(std::size_t node);
  void turn(Connection& connection, short near, short far);
  bool take(Connection& connection, Pipe& pipe, bool is_up);
  bool give(Pipe& pipe);
  void note(Error error) {
    std::lock_guard lock(mutex);
    if (!trouble) trouble = std::move(error);
  }
};

Result<void> Tap::Relay::listen_for(std::size_t nodes) {
  for (std::size_t i = 0; i < nodes; ++i) {
    UniqueFd listener(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    if (!listener || bind(listener.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        listen(listener.get(), 8) != 0 ||
        getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
      return tl::unexpected(
          errno_error("cannot listen on the loopback interface for", "the demo's relay"));
    ports.push_back(ntohs(address.sin_port));
    listeners.push_back(std::move(listener));
  }
  return {};
}

void Tap::Relay::accept_one(std::size_t node) {
  UniqueFd near(accept4(listeners[node].get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!near || connections.size() >= kConnectionsMax) return;
  // A blocking connect: the coordinator's end is on this machine.
  UniqueFd far(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = loopback(target);
  if (!far || connect(far.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    return;  // the node tries again
  fcntl(far.get(), F_SETFL, O_NONBLOCK);
  int yes = 1;
  setsockopt(near.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  setsockopt(far.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  Path path = folder / fmt::format("node-{}-connection-{}.bin", node + 1, ++made);
  UniqueFd record(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!record) return note(errno_error("cannot record to", path));
  Pipe up_pipe{near.get(), far.get(), {}, 0, false}, down_pipe{far.get(), near.get(), {}, 0, false};
  connections.push_back(std::make_unique<Connection>(Connection{
      node, std::move(near), std::move(far), std::move(record), path, up_pipe, down_pipe, false}));
}

// False when the connection is beyond use.
bool Tap::Relay::take(Connection& connection, Pipe& pipe, bool is_up) {
  pipe.held.resize(kPieceBytes);
  ssize_t got = recv(pipe.from, pipe.held.data(), pipe.held.size(), 0);
  pipe.held.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  pipe.sent = 0;
  if (got < 0) return errno == EAGAIN || errno == EINTR;
  if (got == 0) {
    pipe.over = true;
    shutdown(pipe.to, SHUT_WR);
    return true;
  }
  (is_up ? up : down)[connection.node] += static_cast<std::uint64_t>(got);
  if (!is_up) return true;
  auto recorded = write_all(connection.record.get(), pipe.held, connection.path);
  if (!recorded) note(recorded.error());
  return recorded.has_value();
}

bool Tap::Relay::give(Pipe& pipe) {
  ssize_t put =
      send(pipe.to, pipe.held.data() + pipe.sent, pipe.held.size() - pipe.sent, MSG_NOSIGNAL);
  if (put < 0) return errno == EAGAIN || errno == EINTR;
  pipe.sent += static_cast<std::size_t>(put);
  if (pipe.sent == pipe.held.size()) pipe.held.clear();
  return true;
}

void Tap::Relay::turn(Connection& connection, short near, short far) {
  constexpr short kIn = POLLIN | POLLHUP | POLLERR;
  bool good = true;
  if (connection.up.wants_input() && (near & kIn) != 0)
    good = good && take(connection, connection.up, true);
  if (connection.down.wants_input() && (far & kIn) != 0)
    good = good && take(connection, connection.down, false);
  if (good && connection.up.wants_output()) good = give(connection.up);
  if (good && connection.down.wants_output()) good = give(connection.down);
  bool done = connection.up.over && connection.down.over && connection.up.held.empty() &&
              connection.down.held.empty();
  connection.broken = !good || done;
}

void Tap::Relay::run() {
  while (true) {
    std::vector<pollfd> waits{{stop.get(), POLLIN, 0}};
    for (const UniqueFd& listener : listeners) waits.push_back({listener.get(), POLLIN, 0});
    for (const auto& c : connections) {
      auto events = [](const Pipe& in, const Pipe& out) {
        return static_cast<short>((in.wants_input() ? POLLIN : 0) |
                                  (out.wants_output() ? POLLOUT : 0));
      };
      short near = events(c->up, c->down), far = events(c->down, c->up);
      waits.push_back({near != 0 ? c->near.get() : -1, near,
                       0});  // an end with nothing to wait for would spin on its hang-up
      waits.push_back({far != 0 ? c->far.get() : -1, far, 0});
    }
    if (poll(waits.data(), waits.size(), -1) < 0 && errno != EINTR)
      return note(errno_error("cannot wait for", "the demo's relay"));
    if (waits[0].revents != 0) return;
    std::size_t first = 1 + listeners.size();
    for (std::size_t i = 0; first + 2 * i + 1 < waits.size(); ++i)
      turn(*connections[i], waits[first + 2 * i].revents, waits[first + 2 * i + 1].revents);
    std::erase_if(connections, [](const auto& c) { return c->broken; });
    for (std::size_t node = 0; node < listeners.size(); ++node)
      if (waits[1 + node].revents != 0) accept_one(node);
  }
}

Result<std::unique_ptr<Tap>> Tap::open(const std::string& endpoint, std::size_t nodes,
                                       const Path& folder) {
  auto relay = std::make_unique<Relay>(nodes);
  TRY_ASSIGN(relay->target, port_of(endpoint));
  TRY(make_folders(folder, 0700));
  relay->folder = folder;
  TRY(relay->listen_for(nodes));
  relay->stop = UniqueFd(eventfd(0, EFD_CLOEXEC));
  if (!relay->stop)
    return tl::unexpected(errno_error("cannot make an event for", "the demo's relay"));
  relay->thread = std::thread([raw = relay.get()] { raw->run(); });
  return std::unique_ptr<Tap>(new Tap(std::move(relay)));
}

Tap::Tap(std::unique_ptr<Relay> relay) : relay_(std::move(relay)) {}

Tap::~Tap() {
  std::uint64_t one = 1;
  if (write(relay_->stop.get(), &one, sizeof one) == sizeof one) relay_->thread.join();
}

std::string Tap::endpoint(std::size_t node) const {
  return fmt::format("tcp://127.0.0.1:{}", relay_->ports.at(node));
}

Tap::Counts Tap::counts(std::size_t node) const {
  return {relay_->up.at(node), relay_->down.at(node)};
}

Result<void> Tap::health() const {
  std::lock_guard lock(relay_->mutex);
  if (relay_->trouble) return tl::unexpected(*relay_->trouble);
  return {};
}

}  // namespace freshet::demo
