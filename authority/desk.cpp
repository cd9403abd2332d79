#include "authority/desk.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>

#include "authority/premises.h"
#include "base/limits.h"

namespace freshet::authority {
namespace {

constexpr char kSocketName[] = "authority.sock";
constexpr int kPatienceS = 2;  // for one half of an exchange between two processes of one user
constexpr std::int64_t kValidMax = 24 * 3600;

Result<sockaddr_un> address_of(const Path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.native().size() >= sizeof address.sun_path)
    return fail(Code::kBadInput, path.string() +
                                     ": too long for the name of a socket; use a --dir with a "
                                     "shorter path");
  std::memcpy(address.sun_path, path.c_str(), path.native().size());
  return address;
}

Result<NodeId> id_from(const Json& request) {
  TRY_ASSIGN(const std::string text, json_get<std::string>(request, "id", "request"));
  if (text == "all") return NodeId{};
  NodeId id;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id.value, 16);
  if (text.size() != 16 || error != std::errc() || end != text.data() + text.size())
    return fail(Code::kBadInput, "\"" + text.substr(0, 100) +
                                     "\" is no id: 16 hexadecimal digits, as `freshet "
                                     "authority list` shows them");
  return id;
}

Result<Json> invite(Office& office, const Json& request, std::int64_t now_s) {
  Invitation invitation;
  TRY_ASSIGN(const bool coordinator, json_get<bool>(request, "coordinator", "request"));
  invitation.role = coordinator ? Role::kCoordinator : Role::kNode;
  TRY_ASSIGN(invitation.label, json_get<std::string>(request, "label", "request"));
  TRY_ASSIGN(invitation.valid_s, json_get<std::int64_t>(request, "valid_s", "request"));
  TRY_ASSIGN(invitation.approve_first, json_get<bool>(request, "approve_first", "request"));
  TRY_ASSIGN(invitation.authority_at, json_get<std::string>(request, "authority_at", "request"));
  TRY_ASSIGN(invitation.coordinator_at,
             json_get<std::string>(request, "coordinator_at", "request"));
  if (invitation.valid_s < 1 || invitation.valid_s > kValidMax)
    return fail(Code::kBadInput, "a token is good for 24 hours at most");
  TRY_ASSIGN(const JoinToken token, office.invite(invitation, now_s));
  return Json{{"token", std::string(as_text(join_token_text(token).view()))},
              {"expires_s", now_s + invitation.valid_s}};
}

Json party_json(const Party& party, std::int64_t now_s) {
  const Certificate& certificate = party.certificate;
  const char* state = "good";
  if (now_s > certificate.not_after_s) state = "expired";
  if (party.revoked) state = "revoked";
  return {{"device", fmt::format("{:016x}", certificate.device.value)},
          {"id", fmt::format("{:016x}", certificate.id().value)},
          {"name", party.label},
          {"role", name_of(certificate.role)},
          {"state", state},
          {"epoch", certificate.epoch},
          {"serial", certificate.serial},
          {"enrolled_s", certificate.enrolled_s},
          {"not_after_s", certificate.not_after_s}};
}

Json list(const Office& office, std::int64_t now_s) {
  const Registry& registry = office.registry();
  Json parties = Json::array(), tokens = Json::array(), issuers = Json::array();
  for (const auto& [device, party] : registry.parties())
    parties.push_back(party_json(party, now_s));
  for (const auto& [hash, token] : registry.tokens()) {
    if (token.device || (!token.held && token.terms.expires_s < now_s)) continue;
    Json json{{"name", token.terms.label},
              {"role", name_of(token.terms.role)},
              {"expires_s", token.terms.expires_s}};
    if (token.held) json["waiting"] = fmt::format("{:016x}", token.held->id().value);
    tokens.push_back(std::move(json));
  }
  for (const Issuer& issuer : registry.issuers())
    issuers.push_back(
        {{"epoch", issuer.certificate.epoch}, {"not_after_s", issuer.certificate.not_after_s}});
  return {{"parties", parties},
          {"tokens", tokens},
          {"issuers", issuers},
          {"list", registry.list().serial},
          {"list_expires_s", registry.list().expires_s}};
}

Result<Json> add_issuer(Office& office, const Path& folder, const Json& request,
                        std::int64_t now_s) {
  TRY_ASSIGN(const std::string hex, json_get<std::string>(request, "certificate", "request"));
  TRY_ASSIGN(const bool revokes, json_get<bool>(request, "revoke_old", "request"));
  TRY_ASSIGN(const Bytes bytes, from_hex(hex));
  TRY_ASSIGN(const Certificate certificate, read_certificate(bytes));
  TRY_ASSIGN(KeyRing issuer, load_or_make_keys(issuer_folder(folder, certificate.epoch)));
  if (issuer.identity.open != certificate.keys || certificate.issuer != office.registry().root())
    return fail(Code::kRefused, "this issuer is not of this authority's root and folder");
  TRY(office.add_issuer(bytes, std::move(issuer.identity), revokes, now_s));
  return Json{{"epoch", certificate.epoch}};
}

// What the other end says, up to its end.
Result<std::string> receive_all(int fd) {
  std::string text;
  char buffer[16 * 1024];
  for (;;) {
    const ssize_t got = ::recv(fd, buffer, sizeof buffer, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(Code::kUnavailable, "the other end does not speak");
    if (got == 0) return text;
    text.append(buffer, static_cast<std::size_t>(got));
    if (text.size() > limits::kSmallFileBytesMax)
      return fail(Code::kBadInput, "a command that is too long");
  }
}

Result<void> send_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t put = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return fail(Code::kUnavailable, "the authority hung up; see what it wrote");
    text.remove_prefix(static_cast<std::size_t>(put));
  }
  ::shutdown(fd, SHUT_WR);
  return {};
}

void be_patient(int fd) {
  const timeval patience{kPatienceS, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
}

}  // namespace

Result<Json> answer(Office& office, const Path& folder, const Json& request, std::int64_t now_s) {
  TRY(office.refresh(now_s));
  TRY_ASSIGN(const std::string what, json_get<std::string>(request, "do", "request"));
  if (what == "invite") return invite(office, request, now_s);
  if (what == "list") return list(office, now_s);
  if (what == "add_issuer") return add_issuer(office, folder, request, now_s);
  TRY_ASSIGN(const NodeId id, id_from(request));
  if (what == "approve") {
    TRY_ASSIGN(const std::size_t count, office.approve(id, now_s));
    return Json{{"approved", count}};
  }
  if (what != "revoke") return fail(Code::kBadInput, "unknown request \"" + what + "\"");
  TRY(office.revoke(id, now_s));
  return Json{{"revoked", fmt::format("{:016x}", id.value)},
              {"list", office.registry().list().serial}};
}

Result<Desk> Desk::listen(const Path& folder) {
  const Path path = folder / kSocketName;
  TRY_ASSIGN(const sockaddr_un address, address_of(path));
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return tl::unexpected(errno_error("cannot make a socket for", path));
  ::unlink(path.c_str());  // of a server that died: the folder is ours
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(fd.get(), limits::kOperatorsMax) != 0)
    return tl::unexpected(errno_error("cannot listen on", path));
  return Desk(std::move(fd));
}

Result<void> Desk::serve(const std::function<Result<Json>(const Json&)>& answer) {
  const UniqueFd fd(::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!fd) return {};
  be_patient(fd.get());
  const auto text = receive_all(fd.get());
  if (!text) return {};
  const auto request = parse_json(*text, "request");
  const auto answered = request ? answer(*request) : tl::unexpected(request.error());
  const Json document = answered ? *answered
                                 : Json{{"error", answered.error().what},
                                        {"code", static_cast<int>(answered.error().code)}};
  (void)send_all(fd.get(), to_text(document));  // whoever asked may be gone
  if (!answered &&
      (answered.error().code == Code::kCorrupt || answered.error().code == Code::kNoSpace))
    return tl::unexpected(answered.error());
  return {};
}

Result<Json> ask_desk(const Path& folder, const Json& request) {
  const Path path = folder / kSocketName;
  TRY_ASSIGN(const sockaddr_un address, address_of(path));
  const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd || ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return fail(Code::kUnavailable,
                "another command works in " + folder.string() + "; try again when it is done");
  TRY(send_all(fd.get(), to_text(request)));
  TRY_ASSIGN(const std::string text, receive_all(fd.get()));
  TRY_ASSIGN(Json document, parse_json(text, "the authority's answer"));
  if (!document.contains("error")) return document;
  TRY_ASSIGN(const auto code, json_get<int>(document, "code", "the authority's answer"));
  TRY_ASSIGN(std::string what, json_get<std::string>(document, "error", "the authority's answer"));
  return fail(code >= 0 && code <= static_cast<int>(Code::kCorrupt) ? static_cast<Code>(code)
                                                                    : Code::kBadInput,
              std::move(what));
}

}  // namespace freshet::authority
