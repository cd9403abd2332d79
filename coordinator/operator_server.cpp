#include "coordinator/operator_server.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>

#include "base/json.h"
#include "base/limits.h"
#include "coordinator/operator_client.h"

namespace freshet {

Result<OperatorServer> OperatorServer::listen(Path socket) {
  TRY_ASSIGN(sockaddr_un address, unix_address(socket));
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return tl::unexpected(errno_error("cannot make a socket for", socket));
  ::unlink(socket.c_str());
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(fd.get(), limits::kOperatorsMax) != 0)
    return tl::unexpected(errno_error("cannot listen on", socket));
  return OperatorServer(std::move(socket), std::move(fd));
}

OperatorServer::~OperatorServer() {
  if (listening_) ::unlink(path_.c_str());
}

std::vector<int> OperatorServer::descriptors() const {
  std::vector<int> all{listening_.get()};
  for (const auto& [id, peer] : peers_) all.push_back(peer.fd.get());
  return all;
}

std::vector<OperatorServer::Request> OperatorServer::poll() {
  accept_new();
  std::vector<Request> requests;
  for (auto at = peers_.begin(); at != peers_.end();) {
    const bool stays = read_from(at->first, at->second, requests) && write_to(at->second);
    at = stays ? std::next(at) : peers_.erase(at);
  }
  return requests;
}

void OperatorServer::send(std::uint64_t to, const Json& document) {
  auto found = peers_.find(to);
  if (found == peers_.end()) return;
  found->second.out += to_text(document) + "\n";
  if (!write_to(found->second)) peers_.erase(found);
}

void OperatorServer::finish(std::uint64_t to) {
  auto found = peers_.find(to);
  if (found == peers_.end()) return;
  found->second.finishing = true;
  if (!write_to(found->second)) peers_.erase(found);
}

void OperatorServer::accept_new() {
  while (peers_.size() < limits::kOperatorsMax) {
    UniqueFd fd(::accept4(listening_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!fd) return;
    ucred who{};
    socklen_t size = sizeof who;
    if (::getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &who, &size) != 0) continue;
    Peer& peer = peers_[next_++];
    peer.fd = std::move(fd);
    peer.user = who.uid;
  }
}

bool OperatorServer::read_from(std::uint64_t id, Peer& peer, std::vector<Request>& requests) {
  char buffer[16 * 1024];
  for (;;) {
    const ssize_t got = ::recv(peer.fd.get(), buffer, sizeof buffer, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno == EAGAIN || errno == EWOULDBLOCK;
    if (got == 0) return false;
    peer.in.append(buffer, static_cast<std::size_t>(got));
    for (auto end = peer.in.find('\n'); end != std::string::npos; end = peer.in.find('\n')) {
      requests.push_back({id, peer.in.substr(0, end), peer.user});
      peer.in.erase(0, end + 1);
    }
    if (peer.in.size() > limits::kOperatorLineBytesMax) return false;
  }
}

bool OperatorServer::write_to(Peer& peer) {
  while (!peer.out.empty()) {
    const ssize_t put = ::send(peer.fd.get(), peer.out.data(), peer.out.size(), MSG_NOSIGNAL);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0)
      return (errno == EAGAIN || errno == EWOULDBLOCK) &&
             peer.out.size() <= limits::kOperatorQueueBytesMax;
    peer.out.erase(0, static_cast<std::size_t>(put));
  }
  return !peer.finishing;
}

}  // namespace freshet
