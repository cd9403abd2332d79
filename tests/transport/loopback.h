#pragma once
// Both ends in one test: waiting with a deadline in place of sleeping, and plain libzmq clients
// that do what our own end never does.

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "transport/sockets.h"
#include "transport/zeromq_dealer.h"
#include "transport/zeromq_router.h"

namespace freshet {

inline constexpr char kAnyPort[] = "tcp://127.0.0.1:0";
inline constexpr int kPatienceMs = 20'000;  // until a test gives up

// The keys that a router admits; a key may be struck off while frames flow.
class AllowList {
 public:
  AllowList();
  void add(const TransportPublic& key);
  void strike(const TransportPublic& key);
  ZeromqRouter::Admits admits() const;

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
};

// Drives `ends` until `done` says so; false when patience is over.
bool until(std::vector<Transport*> ends, const std::function<bool()>& done);

// Sends until it is taken, then receives at the other end; nothing when patience is over.
bool deliver(Transport& from, const TransportPublic& to, ByteView frame,
             const std::vector<Transport*>& ends = {});
std::optional<Inbound> next(Transport& at, const std::vector<Transport*>& ends = {});

// A DEALER of plain libzmq.
class PlainClient {
 public:
  enum class Mechanism { kNull, kPlain, kCurve };
  enum class Outcome { kAdmitted, kRefused, kNeither };  // kNeither: patience is over

  // kCurve: `identity` and `server` are its keys.
  PlainClient(const std::string& address, Mechanism mechanism, const Identity& identity,
              const TransportPublic& server, std::string_view routing_id = {});
  Outcome outcome();  // of the next handshake
  bool send(const std::vector<Bytes>& parts);
  bool closed();  // whether the server ends the connection

 private:
  int next_event(std::set<int> events);
  Context context_;
  Socket socket_, monitor_;
};

// A TCP connection without any protocol.
class TcpConnection {
 public:
  explicit TcpConnection(const std::string& address);
  ~TcpConnection();
  void send(ByteView bytes);
  bool closed_by_peer();  // reads until the end, or until patience is over

 private:
  int fd_ = -1;
};

}  // namespace freshet
