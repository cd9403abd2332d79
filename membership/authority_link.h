#pragma once
// A party's line to its authority: one question at a time, asked again until it is answered. The
// authority is known by its pinned transport key; the answers that matter are signed besides.

#include <memory>
#include <optional>

#include "base/clock.h"
#include "protocol/authority_messages.h"
#include "transport/zeromq_dealer.h"

namespace freshet::membership {

class AuthorityLink {
 public:
  static Result<AuthorityLink> connect(const std::string& address, const Identity& identity,
                                       const TransportPublic& authority);

  // Waits for the answer. kUnavailable: none came in time, or `stop` (-1: none) became readable.
  Result<authority::Answer> ask(const authority::Request& request, int timeout_ms, int stop = -1);

  // Waits for some time. kUnavailable: `stop` became readable.
  Result<void> pause(int ms, int stop);

  // The same without waiting: begin(), then poll() in every turn of a loop. A question that is
  // begun while another waits takes its place.
  void begin(const authority::Request& request);
  bool asks() const { return !frame_.empty(); }
  Result<std::optional<authority::Answer>> poll(Instant now);

 private:
  AuthorityLink(std::string address, TransportPublic authority);
  std::string address_;
  TransportPublic authority_;
  std::unique_ptr<ZeromqDealer> dealer_;
  Bytes frame_;  // of the question that waits
  std::uint64_t number_ = 0;
  std::optional<Instant> sent_at_;
  std::string trouble_;
};

}  // namespace freshet::membership
