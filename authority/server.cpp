#include "authority/server.h"

#include <poll.h>

#include <mutex>

#include "base/limits.h"
#include "base/log.h"

namespace freshet::authority {
namespace {

constexpr int kTurnMs = 1000;
constexpr char kDomain[] = "freshet-enrolment";

bool readable(int fd) {
  pollfd poll_fd{fd, POLLIN, 0};
  return ::poll(&poll_fd, 1, 0) > 0;
}

// Asked on ZeroMQ's thread.
ZeromqRouter::Handshake by_address() {
  struct Doorkeeper {
    std::mutex mutex;
    SystemClock clock;
    AddressBuckets buckets{limits::kHandshakesPerSecond, limits::kHandshakesAtOnce,
                           limits::kAddressesMax};
  };
  return
      [keeper = std::make_shared<Doorkeeper>()](const TransportPublic&, std::string_view address) {
        std::lock_guard lock(keeper->mutex);
        return keeper->buckets.take(address, keeper->clock.now());
      };
}

}  // namespace

Server::Server(Path folder, Premises premises, Desk desk)
    : folder_(std::move(folder)),
      premises_(std::move(premises)),
      desk_(std::move(desk)),
      strangers_(limits::kJoinsPerSecond, limits::kJoinsAtOnce) {}

Result<std::unique_ptr<Server>> Server::open(const Path& folder, const std::string& listen,
                                             Terms terms) {
  TRY_ASSIGN(Premises premises, open_premises(folder, terms, false));
  TRY(premises.office->refresh(wall_clock_s()));
  TRY_ASSIGN(Desk desk, Desk::listen(folder));
  std::unique_ptr<Server> server(new Server(folder, std::move(premises), std::move(desk)));
  ZeromqRouter::Door door{[](const TransportPublic&) { return true; }, by_address(), kDomain,
                          limits::kRequestBytesMax};
  TRY_ASSIGN(server->router_,
             ZeromqRouter::bind(listen, server->premises_.office->identity(), std::move(door)));
  TRY(write_file_durably(folder / "endpoint", as_bytes(server->address() + "\n")));
  log::info("listening on {}, {} parties", server->address(),
            server->premises_.office->registry().parties().size());
  return server;
}

Result<void> Server::run(int stop) {
  const int also[] = {stop, desk_.descriptor()};
  while (!readable(stop)) {
    TRY(router_->wait(also, kTurnMs));
    TRY(premises_.office->refresh(wall_clock_s()));
    TRY(take_frames());
    TRY(desk_.serve([this](const Json& request) {
      return answer(*premises_.office, folder_, request, wall_clock_s());
    }));
  }
  return {};
}

Result<void> Server::take_frames() {
  for (int taken = 0; taken < limits::kFramesPerTurn; ++taken) {
    TRY_ASSIGN(const std::optional<Inbound> inbound, router_->receive());
    if (!inbound) break;
    TRY(take(*inbound));
  }
  return {};
}

Result<void> Server::take(const Inbound& inbound) {
  Office& office = *premises_.office;
  const bool known = office.registry().party_of(inbound.from) != nullptr;
  if (!known && !strangers_.take(clock_.now())) {
    if (turned_away_++ % 1000 == 0)
      log::warning("more strangers ask than are looked at ({} turned away so far)", turned_away_);
    router_->forget(inbound.from);
    return {};
  }
  auto request = decode_request(inbound.frame);
  Numbered<Answer> reply{request ? request->number : 0, {}};
  if (request) {
    TRY_ASSIGN(reply.message, office.answer(request->message, inbound.from, wall_clock_s()));
  } else {
    reply.message = Denied{request.error().code, request.error().what};
  }
  // Who does not take it asks again.
  (void)router_->send(inbound.from, encode(reply.message, reply.number));
  router_->forget(inbound.from);
  return {};
}

}  // namespace freshet::authority
