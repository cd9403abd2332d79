#include "tests/bench/fleet_idle.h"

#include <fmt/format.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>
#include <zmq.h>

#include <algorithm>
#include <ctime>
#include <optional>
#include <vector>

#include "base/check.h"
#include "base/limits.h"
#include "crypto/key_file.h"
#include "protocol/codec.h"
#include "tests/bench/daemon.h"

namespace freshet {
namespace {

constexpr int kCoordinatorCpu = 0, kCrowdCpu = 1;
constexpr double kSayAgainS = 2, kConnectSecondsMax = 60, kHourSecondsMax = 400;

double seconds_now() {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

void may_open(std::size_t files) {
  const rlimit wanted{files, files};
  rlimit now{};
  ::getrlimit(RLIMIT_NOFILE, &now);
  if (now.rlim_max < files && ::setrlimit(RLIMIT_NOFILE, &wanted) == 0) return;
  now.rlim_cur = now.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &now);
}

// All nodes of the fleet, on one thread. Their frames are signed as a node's are.
class Crowd {
 public:
  Crowd(std::vector<Identity> keys, const PublicIdentity& coordinator)
      : keys_(std::move(keys)), coordinator_(coordinator), peers_(keys_.size()) {
    may_open(3 * keys_.size() + 1024);
    context_ = ::zmq_ctx_new();
    ::zmq_ctx_set(context_, ZMQ_MAX_SOCKETS, static_cast<int>(keys_.size()) + 16);
    events_ = UniqueFd(::epoll_create1(EPOLL_CLOEXEC));
  }
  ~Crowd() {
    for (Peer& peer : peers_)
      if (peer.socket != nullptr) ::zmq_close(peer.socket);
    ::zmq_ctx_term(context_);
  }

  Result<void> open(std::size_t i) {
    Peer& peer = peers_[i];
    peer.socket = ::zmq_socket(context_, ZMQ_DEALER);
    if (peer.socket == nullptr)
      return fail(Code::kUnavailable, fmt::format("node {}: {} (a process may open too few files)",
                                                  i, zmq_strerror(zmq_errno())));
    const int linger = 0, high_water = limits::kPeerQueueFrames;
    ::zmq_setsockopt(peer.socket, ZMQ_LINGER, &linger, sizeof linger);
    ::zmq_setsockopt(peer.socket, ZMQ_SNDHWM, &high_water, sizeof high_water);
    ::zmq_setsockopt(peer.socket, ZMQ_RCVHWM, &high_water, sizeof high_water);
    const Identity& me = keys_[i];
    const auto set = [&](int option, ByteView bytes) {
      CHECK(::zmq_setsockopt(peer.socket, option, bytes.data(), bytes.size()) == 0, "option {}",
            option);
    };
    set(ZMQ_CURVE_SERVERKEY, coordinator_.transport.bytes);
    set(ZMQ_CURVE_PUBLICKEY, me.open.transport.bytes);
    set(ZMQ_CURVE_SECRETKEY, me.transport.view());
    int fd = -1;
    std::size_t size = sizeof fd;
    ::zmq_getsockopt(peer.socket, ZMQ_FD, &fd, &size);
    epoll_event event{EPOLLIN | EPOLLET, {.u64 = i}};
    ::epoll_ctl(events_.get(), EPOLL_CTL_ADD, fd, &event);
    return {};
  }
  void connect(std::size_t i, const std::string& address) {
    ::zmq_connect(peers_[i].socket, address.c_str());
  }

  // False: its queue is full.
  bool beat(std::size_t i) {
    Peer& peer = peers_[i];
    const Identity& me = keys_[i];
    const Bytes frame = encode(Hello{1, "bench", {}}, {me.open.id(), ++sequence_}, me);
    if (::zmq_send(peer.socket, frame.data(), frame.size(), ZMQ_DONTWAIT) < 0) return false;
    if (!peer.sent) peer.sent = seconds_now();
    ++sent_;
    read(i);
    return true;
  }

  // Answers that came within `ms`.
  void listen(int ms) {
    epoll_event events[512];
    const int count = ::epoll_wait(events_.get(), events, 512, ms);
    for (int i = 0; i < count; ++i) read(static_cast<std::size_t>(events[i].data.u64));
  }
  // An edge is missed where an answer came while its node was sending.
  void look_at_all() {
    for (std::size_t i = 0; i < peers_.size(); ++i)
      if (peers_[i].sent) read(i);
  }

  // What was said while a connection was being made may be lost with it: a node says it again.
  void say_again() {
    for (std::size_t i = 0; i < peers_.size(); ++i)
      if (!peers_[i].heard) beat(i);
  }

  std::size_t size() const { return peers_.size(); }
  std::size_t heard() const { return heard_; }  // nodes that had an answer
  std::uint64_t sent() const { return sent_; }
  std::vector<double>& waits() { return waits_; }

 private:
  struct Peer {
    void* socket = nullptr;
    std::optional<double> sent;
    bool heard = false;
  };
  void read(std::size_t i) {
    Peer& peer = peers_[i];
    char frame[4096];
    while (::zmq_recv(peer.socket, frame, sizeof frame, ZMQ_DONTWAIT) >= 0) {
      if (!peer.heard) ++heard_;
      peer.heard = true;
      if (peer.sent) waits_.push_back(seconds_now() - *peer.sent);
      peer.sent.reset();
    }
  }

  std::vector<Identity> keys_;
  PublicIdentity coordinator_;
  std::vector<Peer> peers_;
  void* context_ = nullptr;
  UniqueFd events_;
  std::uint64_t sequence_ = 0, sent_ = 0;
  std::size_t heard_ = 0;
  std::vector<double> waits_;
};

Result<double> let_all_in(Crowd& crowd, const std::string& address) {
  for (std::size_t i = 0; i < crowd.size(); ++i) TRY(crowd.open(i));
  const double start = seconds_now();
  for (std::size_t i = 0; i < crowd.size(); ++i) {
    crowd.connect(i, address);
    crowd.beat(i);
    if (i % 64 == 0) crowd.listen(0);
  }
  for (double looked = start, said = seconds_now(); crowd.heard() < crowd.size();) {
    crowd.listen(10);
    if (seconds_now() - said > kSayAgainS) crowd.say_again(), said = seconds_now();
    if (seconds_now() - looked > 0.2) crowd.look_at_all(), looked = seconds_now();
    if (seconds_now() - start > kConnectSecondsMax)
      return fail(Code::kExpired, fmt::format("{} of {} nodes were answered in {} s", crowd.heard(),
                                              crowd.size(), kConnectSecondsMax));
  }
  return seconds_now() - start;
}

// Every node once in `beat_ms`, one after the other.
void live(Crowd& crowd, const IdlePlan& plan) {
  const double step = plan.beat_ms / 1e3 / static_cast<double>(crowd.size());
  const double start = seconds_now();
  for (std::uint64_t beat = 0; seconds_now() - start < plan.measured_ms / 1e3;) {
    while (start + static_cast<double>(beat) * step <= seconds_now())
      crowd.beat(beat++ % crowd.size());
    crowd.listen(1);
  }
  crowd.listen(100);
  crowd.look_at_all();
}

// An hour's signs of life in a row. What the coordinator does not answer (it says a thing once a
// second to a node) cannot be waited for: its processor's time says how far it is.
Result<void> live_an_hour(Crowd& crowd, const IdlePlan& plan) {
  const double start = seconds_now();
  for (int beat = 0; beat < plan.beats_of_an_hour; ++beat) {
    for (std::size_t i = 0; i < crowd.size(); ++i) {
      while (!crowd.beat(i)) crowd.listen(5);
      if (i % 64 == 0) crowd.listen(0);
    }
    if (seconds_now() - start > kHourSecondsMax)
      return fail(Code::kExpired, fmt::format("{} beats of {} in {} s", beat, plan.beats_of_an_hour,
                                              kHourSecondsMax));
  }
  return {};
}

void wait_until_idle(const Daemon& coordinator) {
  for (double before = -1, used = coordinator.processor_s(); used - before > 0.02;) {
    ::usleep(500'000);
    before = std::exchange(used, coordinator.processor_s());
  }
}

double percentile(std::vector<double>& values, double share) {
  if (values.empty()) return 0;
  std::ranges::sort(values);
  return values[static_cast<std::size_t>(share * static_cast<double>(values.size() - 1))];
}

}  // namespace

Result<IdleCost> measure_idle(const Path& folder, const Path& programs, const IdlePlan& plan) {
  std::filesystem::remove_all(folder);
  const Path home = folder / "c";
  TRY(make_folders(home, 0700));
  TRY_ASSIGN(const KeyRing keys, load_or_make_keys(home));
  std::vector<Identity> nodes;
  std::string allowed;
  for (int i = 0; i < plan.nodes; ++i) {
    nodes.push_back(Identity::generate());
    allowed += fmt::format("n{} {}\n", i, to_text(nodes.back().open));
  }
  TRY(write_file_durably(home / "nodes.allowed", as_bytes(allowed), 0600));
  Daemon coordinator(programs / "freshet-coordinator",
                     {"run", "--dir", home.string(), "--listen", "tcp://127.0.0.1:0"},
                     folder / "c.log", kCoordinatorCpu);
  std::error_code error;
  while (!std::filesystem::exists(home / "endpoint", error)) ::usleep(10'000);
  TRY_ASSIGN(std::string address, read_file(home / "endpoint", 200));
  address.erase(address.find('\n'));
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(kCrowdCpu, &set);
  ::sched_setaffinity(0, sizeof set, &set);

  IdleCost cost;
  Crowd crowd(std::move(nodes), keys.identity.open);
  TRY_ASSIGN(cost.accepted_s, let_all_in(crowd, address));
  wait_until_idle(coordinator);
  cost.fresh_mb = coordinator.resident_mb();
  crowd.waits().clear();
  double used = coordinator.processor_s();
  const double start = seconds_now();
  live(crowd, plan);
  cost.core = (coordinator.processor_s() - used) / (seconds_now() - start);
  cost.median_ms = 1e3 * percentile(crowd.waits(), 0.5);
  cost.p99_ms = 1e3 * percentile(crowd.waits(), 0.99);
  used = coordinator.processor_s();
  const std::uint64_t sent = crowd.sent();
  TRY(live_an_hour(crowd, plan));
  wait_until_idle(coordinator);
  cost.frame_us = 1e6 * (coordinator.processor_s() - used) /
                  static_cast<double>(std::max<std::uint64_t>(crowd.sent() - sent, 1));
  cost.after_an_hour_mb = coordinator.resident_mb();
  if (!coordinator.look()) return fail(Code::kUnavailable, "the coordinator ended; see its log");
  return cost;
}

}  // namespace freshet
