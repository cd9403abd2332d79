#include "membership/authority_link.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>

#include "base/limits.h"
#include "base/log.h"

namespace freshet::membership {
namespace {

constexpr std::int64_t kAskAgainMs = 3'000;
constexpr int kTurnMs = 50;

}  // namespace

AuthorityLink::AuthorityLink(std::string address, TransportPublic authority)
    : address_(std::move(address)), authority_(authority) {}

Result<AuthorityLink> AuthorityLink::connect(const std::string& address, const Identity& identity,
                                             const TransportPublic& authority) {
  AuthorityLink link(address, authority);
  TRY_ASSIGN(link.dealer_, ZeromqDealer::connect(address, identity, authority, "authority"));
  return link;
}

void AuthorityLink::begin(const authority::Request& request) {
  frame_ = authority::encode(request, ++number_);
  sent_at_.reset();
}

Result<std::optional<authority::Answer>> AuthorityLink::poll(Instant now) {
  if (asks() && (!sent_at_ || now - *sent_at_ >= kAskAgainMs)) {
    auto sent = dealer_->send(authority_, frame_);
    if (sent) sent_at_ = now;
    trouble_ = sent ? "it does not answer" : sent.error().what;
  }
  for (int looked = 0; looked < limits::kPeerQueueFrames; ++looked) {
    TRY_ASSIGN(const std::optional<Inbound> inbound, dealer_->receive());
    if (!inbound) break;
    auto answer = authority::decode_answer(inbound->frame);
    if (!answer) {
      log::warning("{}: {}", address_, answer.error().what);
    } else if (asks() && answer->number == number_) {
      frame_.clear();
      return std::optional(std::move(answer->message));
    }
  }
  return std::optional<authority::Answer>();
}

Result<void> AuthorityLink::pause(int ms, int stop) {
  pollfd waits{stop, POLLIN, 0};
  if (::poll(&waits, 1, ms) > 0) return fail(Code::kUnavailable, "stopped before it was done");
  return {};
}

Result<authority::Answer> AuthorityLink::ask(const authority::Request& request, int timeout_ms,
                                             int stop) {
  const SystemClock clock;
  const Instant until = clock.now() + timeout_ms;
  const int also[] = {stop};
  begin(request);
  for (Instant now = clock.now(); now < until; now = clock.now()) {
    TRY_ASSIGN(std::optional<authority::Answer> answer, poll(now));
    if (answer) return std::move(*answer);
    TRY(pause(0, stop));
    TRY(dealer_->wait(std::span(also).first(stop < 0 ? 0 : 1),
                      static_cast<int>(std::min<std::int64_t>(until - now, kTurnMs))));
  }
  frame_.clear();
  return fail(Code::kUnavailable,
              fmt::format("no answer from the authority at {} in {} s ({}); is `freshet authority "
                          "serve` running, and may this machine reach it?",
                          address_, timeout_ms / 1000, trouble_));
}

}  // namespace freshet::membership
