#include "tests/chaos/slow_link.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <ctime>
#include <deque>
#include <memory>

#include "base/check.h"
#include "base/clock.h"
#include "base/rng.h"

namespace freshet::chaos {
namespace {

constexpr std::size_t kSegmentBytes = 1448, kUnderWayMax = 128 * 1024;

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// One direction of one connection: bytes leave `from` at the line's pace and reach `to` later.
struct Way {
  int from = -1, to = -1;
  struct Segment {
    double due_ms;
    std::string bytes;
  };
  std::deque<Segment> under_way;
  std::size_t bytes = 0;
  double free_ms = 0;    // the line takes the next segment then
  double latest_ms = 0;  // nothing overtakes
};

struct Connection {
  UniqueFd node, server;
  Way up, down;
};

class Relay {
 public:
  Relay(UniqueFd listening, int to_port, Line line)
      : listening_(std::move(listening)), to_port_(to_port), line_(line), rng_(line.seed, 77) {
    plan_cut();
  }

  void run(int stop) {
    for (;;) {
      std::vector<pollfd> all{{stop, POLLIN, 0}, {listening_.get(), POLLIN, 0}};
      double next_ms = now_ms() + 50;
      for (auto& each : connections_)
        for (Way* way : {&each->up, &each->down}) {
          if (way->bytes < kUnderWayMax) all.push_back({way->from, POLLIN, 0});
          if (!way->under_way.empty()) next_ms = std::min(next_ms, way->under_way.front().due_ms);
        }
      ::poll(all.data(), all.size(), std::max(0, static_cast<int>(std::ceil(next_ms - now_ms()))));
      if (all[0].revents != 0) return;
      cut_when_due();
      if (all[1].revents != 0) take_connection();
      std::erase_if(connections_, [&](const auto& each) { return !move(*each); });
    }
  }

 private:
  static double now_ms() {
    timespec time{};
    ::clock_gettime(CLOCK_MONOTONIC, &time);
    return 1e3 * static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_nsec);
  }
  void plan_cut() {
    cut_at_ = line_.cut_every_ms == 0 ? 1e18 : now_ms() + line_.cut_every_ms * 2 * rng_.uniform();
  }
  void cut_when_due() {
    if (now_ms() < cut_at_) return;
    connections_.clear();
    dark_until_ = now_ms() + line_.cut_ms;
    plan_cut();
    cut_at_ += line_.cut_ms;
  }
  void take_connection() {
    auto made = std::make_unique<Connection>();
    made->node = UniqueFd(::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (now_ms() < dark_until_) return;  // and it is closed again
    made->server = UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_in address = loopback(to_port_);
    if (::connect(made->server.get(), reinterpret_cast<const sockaddr*>(&address),
                  sizeof address) != 0)
      return;
    const int one = 1;
    for (int fd : {made->node.get(), made->server.get()})
      ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    made->up.from = made->down.to = made->node.get();
    made->up.to = made->down.from = made->server.get();
    connections_.push_back(std::move(made));
  }
  bool move(Connection& connection) {
    return take(connection.up) && take(connection.down) && give(connection.up) &&
           give(connection.down);
  }
  bool take(Way& way) {
    while (way.bytes < kUnderWayMax) {
      char segment[kSegmentBytes];
      const ssize_t got = ::recv(way.from, segment, sizeof segment, MSG_DONTWAIT);
      if (got < 0) return errno == EAGAIN || errno == EINTR;
      if (got == 0) return false;
      way.free_ms =
          std::max(way.free_ms, now_ms()) + 1e3 * static_cast<double>(got) / line_.bytes_per_s;
      double due = way.free_ms + line_.delay_ms;
      while (rng_.uniform() < line_.lost) due += 2 * line_.delay_ms;
      way.latest_ms = std::max(way.latest_ms, due);
      way.under_way.push_back({way.latest_ms, std::string(segment, static_cast<std::size_t>(got))});
      way.bytes += static_cast<std::size_t>(got);
    }
    return true;
  }
  bool give(Way& way) {
    while (!way.under_way.empty() && way.under_way.front().due_ms <= now_ms()) {
      std::string& bytes = way.under_way.front().bytes;
      const ssize_t put = ::send(way.to, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      if (put < 0) return errno == EAGAIN || errno == EINTR;
      way.bytes -= static_cast<std::size_t>(put);
      bytes.erase(0, static_cast<std::size_t>(put));
      if (bytes.empty()) way.under_way.pop_front();
    }
    return true;
  }

  UniqueFd listening_;
  int to_port_;
  Line line_;
  Rng rng_;
  double cut_at_ = 0, dark_until_ = 0;
  std::vector<std::unique_ptr<Connection>> connections_;
};

}  // namespace

SlowLink start_slow_link(const std::string& to, const Line& line) {
  const int to_port = std::atoi(to.substr(to.rfind(':') + 1).c_str());
  SlowLink link{Child::start([&](int stop, int said) {
                  UniqueFd listening(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
                  sockaddr_in address = loopback(0);
                  socklen_t size = sizeof address;
                  auto* any = reinterpret_cast<sockaddr*>(&address);
                  CHECK(::bind(listening.get(), any, size) == 0);
                  CHECK(::listen(listening.get(), 16) == 0);
                  CHECK(::getsockname(listening.get(), any, &size) == 0);
                  const std::string words =
                      "tcp://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "\n";
                  CHECK(write_all(said, as_bytes(words), "address").has_value());
                  Relay(std::move(listening), to_port, line).run(stop);
                  return 0;
                }),
                {}};
  link.address = link.relay.line();
  return link;
}

}  // namespace freshet::chaos
