#pragma once
// An authority on the network: one thread that answers parties over ZeroMQ and commands over its
// desk. Everybody may connect, so strangers are held short: handshakes by address, requests all
// together. Parties with a certificate are not counted among them.

#include "authority/desk.h"
#include "authority/premises.h"
#include "authority/rate.h"
#include "transport/zeromq_router.h"

namespace freshet::authority {

class Server {
 public:
  static Result<std::unique_ptr<Server>> open(const Path& folder, const std::string& listen,
                                              Terms terms);
  // Returns when `stop` becomes readable; errors are those that end a process.
  Result<void> run(int stop);
  std::string address() const { return router_->address(); }

 private:
  Server(Path folder, Premises premises, Desk desk);
  Result<void> take_frames();
  Result<void> take(const Inbound& inbound);

  Path folder_;
  Premises premises_;
  Desk desk_;
  std::unique_ptr<ZeromqRouter> router_;
  SystemClock clock_;
  TokenBucket strangers_;
  std::uint64_t turned_away_ = 0;
};

}  // namespace freshet::authority
