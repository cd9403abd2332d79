#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>

#include "cli/doctor/finding.h"
#include "transport/sockets.h"

namespace freshet::doctor {
namespace {

constexpr int kAnswerMs = 2000;
constexpr std::array<unsigned char, 10> kGreeting = {0xff, 0, 0, 0, 0,
                                                     0,    0, 0, 1, 0x7f};  // ZMTP 3.1, 3.2

struct Place {
  std::string host, port;
};

// "tcp://HOST:PORT"; kBadInput otherwise.
Result<Place> place_of(const std::string& address) {
  TRY(check_address(address));
  const std::size_t colon = address.rfind(':');
  std::string host = address.substr(6, colon - 6);
  if (host.size() > 2 && host.front() == '[') host = host.substr(1, host.size() - 2);
  return Place{host == "*" ? "0.0.0.0" : host, address.substr(colon + 1)};
}

using Addresses = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

Addresses look_up(const Place& place, int flags) {
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags;
  if (::getaddrinfo(place.host.c_str(), place.port.c_str(), &hints, &found) != 0) found = nullptr;
  return Addresses(found, &::freeaddrinfo);
}

// Within kAnswerMs; errno says why not.
bool connects(int fd, const addrinfo& address) {
  if (::connect(fd, address.ai_addr, address.ai_addrlen) == 0) return true;
  if (errno != EINPROGRESS) return false;
  pollfd waits{fd, POLLOUT, 0};
  if (::poll(&waits, 1, kAnswerMs) != 1) {
    errno = ETIMEDOUT;
    return false;
  }
  socklen_t size = sizeof errno;
  int error = 0;
  ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  errno = error;
  return error == 0;
}

// A Freshet program greets as ZeroMQ does.
bool greets(int fd) {
  if (::send(fd, kGreeting.data(), kGreeting.size(), MSG_NOSIGNAL) < 0) return false;
  pollfd waits{fd, POLLIN, 0};
  std::array<unsigned char, 10> answer{};
  return ::poll(&waits, 1, kAnswerMs) == 1 &&
         ::recv(fd, answer.data(), answer.size(), MSG_WAITALL) ==
             static_cast<ssize_t>(answer.size()) &&
         answer[0] == 0xff && answer[9] == 0x7f;
}

}  // namespace

Finding look_at_port(const std::string& address) {
  const Result<Place> place = place_of(address);
  if (!place) return {"port", place.error().what, State::kBad, "say tcp://HOST:PORT"};
  const Addresses found = look_up(*place, AI_PASSIVE);
  if (found == nullptr)
    return {"port", place->host + " is no address of this machine", State::kBad,
            "listen at tcp://0.0.0.0:" + place->port};
  const UniqueFd fd(::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (fd && ::bind(fd.get(), found->ai_addr, found->ai_addrlen) == 0 && ::listen(fd.get(), 1) == 0)
    return {"port", address + " is free", State::kGood, ""};
  return {"port", fmt::format("{}: {}", address, std::strerror(errno)), State::kBad,
          errno == EADDRINUSE ? "another program has it (the daemon itself, if it runs): `ss "
                                "-ltnp`; or take another port"
                              : "take an address of this machine and a port above 1023"};
}

Finding look_at_peer(const std::string& address) {
  const Result<Place> place = place_of(address);
  if (!place) return {"peer", place.error().what, State::kBad, "say tcp://HOST:PORT"};
  const Addresses found = look_up(*place, 0);
  if (found == nullptr)
    return {"peer", "nothing is known about " + place->host, State::kBad,
            "look at the name and at the resolver"};
  const UniqueFd fd(::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd || !connects(fd.get(), *found))
    return {"peer", fmt::format("{}: {}", address, std::strerror(errno)), State::kBad,
            "start the program there, or let a firewall in between pass TCP " + place->port};
  if (!greets(fd.get()))
    return {"peer", address + " answers, but not as Freshet does", State::kBad,
            "another program has that port"};
  return {"peer", address + " answers", State::kGood, ""};
}

}  // namespace freshet::doctor
