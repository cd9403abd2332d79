#include "coordinator/operator_client.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/json.h"
#include "base/limits.h"

namespace freshet {

Result<sockaddr_un> unix_address(const Path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.native().size() >= sizeof address.sun_path)
    return fail(
        Code::kBadInput,
        path.string() + ": too long for the name of a socket; use a --dir with a shorter path");
  std::memcpy(address.sun_path, path.c_str(), path.native().size());
  return address;
}

Result<OperatorClient> OperatorClient::connect(const Path& folder) {
  const Path path = folder / "operator.sock";
  TRY_ASSIGN(sockaddr_un address, unix_address(path));
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return tl::unexpected(errno_error("cannot make a socket for", path));
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
    return OperatorClient(std::move(fd));
  if (errno == EACCES) return tl::unexpected(errno_error("cannot connect to", path));
  return fail(Code::kUnavailable, "no coordinator is running in " + folder.string() +
                                      "; start one with: freshet coordinator run --dir " +
                                      folder.string());
}

Result<void> OperatorClient::send(const Json& document) {
  const std::string line = to_text(document) + "\n";
  std::size_t sent = 0;
  while (sent < line.size()) {
    const ssize_t put = ::send(fd_.get(), line.data() + sent, line.size() - sent, MSG_NOSIGNAL);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0)
      return fail(Code::kUnavailable, "the coordinator hung up; see what it wrote, and try again");
    sent += static_cast<std::size_t>(put);
  }
  return {};
}

Result<std::optional<Json>> OperatorClient::next() {
  for (;;) {
    if (auto end = in_.find('\n'); end != std::string::npos) {
      TRY_ASSIGN(Json document,
                 parse_json(std::string_view(in_).substr(0, end), "the coordinator's answer"));
      in_.erase(0, end + 1);
      if (!document.contains("error")) return document;
      const Json& error = document["error"];
      TRY_ASSIGN(std::string what,
                 json_get<std::string>(error, "what", "the coordinator's answer"));
      TRY_ASSIGN(std::string name,
                 json_get<std::string>(error, "code", "the coordinator's answer"));
      for (Code code : {Code::kBadInput, Code::kRefused, Code::kUnavailable, Code::kExpired,
                        Code::kNoSpace, Code::kCorrupt})
        if (name_of(code) == name) return fail(code, what);
      return fail(Code::kBadInput, what);
    }
    if (in_.size() > limits::kOperatorQueueBytesMax)
      return fail(Code::kBadInput, "the coordinator's answer is too long");
    char buffer[16 * 1024];
    const ssize_t got = ::recv(fd_.get(), buffer, sizeof buffer, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0)
      return fail(Code::kUnavailable, "lost the coordinator: " + std::string(std::strerror(errno)));
    if (got == 0) return std::optional<Json>();
    in_.append(buffer, static_cast<std::size_t>(got));
  }
}

Json error_document(const Error& error) {
  return {{"error", {{"code", std::string(name_of(error.code))}, {"what", error.what}}}};
}

}  // namespace freshet
