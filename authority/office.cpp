#include "authority/office.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"

namespace freshet::authority {
namespace {

// A refusal that an operator should look at.
Denied alarm(Code code, std::string why, std::string_view label) {
  log::warning("alarm: {} (token \"{}\")", why, label);
  return {code, std::move(why)};
}

}  // namespace

Office::Office(Journal& journal, KeyRing own, Terms terms)
    : journal_(journal), own_(std::move(own)), terms_(terms) {}

Result<std::unique_ptr<Office>> Office::open(Journal& journal, KeyRing own, Terms terms) {
  std::unique_ptr<Office> office(new Office(journal, std::move(own), terms));
  TRY(journal.replay(0, [&office](std::uint64_t, ByteView entry) -> Result<void> {
    TRY_ASSIGN(const Record record, decode_record(entry));
    return office->registry_.apply(record);
  }));
  return office;
}

Result<void> Office::keep(const Record& record) {
  TRY(journal_.append(encode(record)));
  auto applied = registry_.apply(record);
  CHECK(applied.has_value(), "{}", applied.error().what);
  return {};
}

Result<void> Office::found(const SigningPublic& root) {
  if (registry_.root())
    return fail(Code::kRefused, "this folder is an authority already; choose another --dir");
  return keep(Founded{root});
}

Result<void> Office::add_issuer(ByteView certificate, Identity issuer, bool revokes_others,
                                std::int64_t now_s) {
  TRY_ASSIGN(const Certificate read, read_certificate(certificate));
  CHECK(registry_.root() && read.issuer == *registry_.root() && read.keys == issuer.open);
  TRY(keep(IssuerAdded{to_bytes(certificate), revokes_others}));
  issuer_ = std::move(issuer);
  TRY(keep(next_list(now_s)));
  sign_list();
  return {};
}

Result<void> Office::take_office(Identity issuer) {
  if (registry_.issuers().empty() ||
      registry_.issuers().back().certificate.keys.signing != issuer.open.signing)
    return fail(Code::kRefused,
                "these are not the keys of the issuer in office; restore the "
                "authority's folder from a backup, or run `freshet authority "
                "rotate`");
  issuer_ = std::move(issuer);
  // A crash between an issuer and its first list: refresh() signs one.
  if (registry_.list().serial > 0) sign_list();
  return {};
}

ListHead Office::next_list(std::int64_t now_s) const {
  return {registry_.list().serial + 1, now_s, now_s + terms_.list_s};
}

// Always the same bytes for the same head: Ed25519 is deterministic, and so are the entries.
void Office::sign_list() {
  const ListHead& head = registry_.list();
  RevocationList list{head.serial, head.issued_s, head.expires_s, issuer_->open.signing,
                      registry_.revocations(head.issued_s)};
  CHECK(list.entries.size() <= limits::kRevocationsMax, "{} revocations", list.entries.size());
  list_ = issue(list, *issuer_);
}

Result<void> Office::refresh(std::int64_t now_s) {
  const ListHead& head = registry_.list();
  // A clock that was set back must not keep an old list in use either.
  if (!list_.empty() && now_s >= head.issued_s && now_s - head.issued_s < terms_.list_s / 2)
    return {};
  TRY(keep(next_list(now_s)));
  sign_list();
  return {};
}

Bytes Office::bundle() const {
  CHECK(registry_.root() && !list_.empty());
  std::vector<Bytes> issuers;
  for (const Issuer& issuer : registry_.issuers()) issuers.push_back(issuer.bytes);
  return make_bundle(*registry_.root(), issuers, list_);
}

Result<JoinToken> Office::invite(const Invitation& invitation, std::int64_t now_s) {
  if (registry_.tokens().size() >= limits::kTokensMax)
    return fail(Code::kRefused, fmt::format("{} tokens are as many as one authority remembers",
                                            limits::kTokensMax));
  if (invitation.label.size() > limits::kNodeNameBytesMax ||
      std::any_of(invitation.label.begin(), invitation.label.end(),
                  [](char c) { return c < ' ' || c > '~'; }))
    return fail(Code::kBadInput, fmt::format("a name has at most {} printable characters",
                                             limits::kNodeNameBytesMax));
  JoinToken token;
  token.role = invitation.role;
  token.secret = Secret::random(32);
  token.root = root_digest(*registry_.root());
  token.authority = transport();
  token.authority_at = invitation.authority_at;
  token.coordinator_at = invitation.coordinator_at;
  TRY(keep(Invited{token_hash(own_.storage, token.secret.view()), invitation.role, invitation.label,
                   now_s + invitation.valid_s, invitation.approve_first}));
  return token;
}

Result<std::size_t> Office::approve(NodeId device, std::int64_t now_s) {
  std::vector<std::pair<Digest, PublicIdentity>> waiting;
  for (const auto& [hash, token] : registry_.tokens())
    if (token.held && (device == NodeId{} || token.held->id() == device))
      waiting.emplace_back(hash, *token.held);
  if (waiting.empty())
    return fail(Code::kBadInput,
                "nobody such waits for approval; `freshet authority list` shows "
                "who does");
  for (const auto& [hash, keys] : waiting) TRY(enrol(hash, keys, now_s));
  return waiting.size();
}

Result<void> Office::revoke(NodeId device, std::int64_t now_s) {
  const Party* party = registry_.party(device);
  for (const auto& [id, each] : registry_.parties())
    if (party == nullptr && each.certificate.id() == device) party = &each;
  if (party == nullptr)
    return fail(Code::kBadInput, fmt::format("{:016x} has no certificate of this authority; "
                                             "`freshet authority list` shows who has",
                                             device.value));
  if (party->revoked) return {};
  if (registry_.revocations(now_s).size() >= limits::kRevocationsMax)
    return fail(Code::kRefused,
                "the revocation list is full; `freshet authority rotate "
                "--revoke-old` replaces the issuer and all of its certificates");
  TRY(keep(Revoked{party->certificate.device, next_list(now_s)}));
  sign_list();
  return {};
}

Certificate Office::certificate_for(const PublicIdentity& keys, Role role,
                                    std::int64_t now_s) const {
  Certificate certificate;
  certificate.role = role;
  certificate.serial = registry_.next_serial();
  certificate.device = keys.id();
  certificate.keys = keys;
  certificate.not_before_s = now_s;
  certificate.not_after_s =
      std::min(now_s + terms_.certificate_s, registry_.issuers().back().certificate.not_after_s);
  certificate.not_after_s = std::max(certificate.not_after_s, now_s);
  certificate.enrolled_s = now_s;
  certificate.capabilities = capabilities_of(role);
  certificate.issuer = issuer_->open.signing;
  return certificate;
}

Result<Party> Office::enrol(const Digest& hash, const PublicIdentity& keys, std::int64_t now_s) {
  const Certificate certificate = certificate_for(keys, registry_.token(hash)->terms.role, now_s);
  TRY(keep(Enrolled{hash, issue(certificate, *issuer_)}));
  const Party* party = registry_.party(certificate.device);
  log::info("enrolled {} {:016x} (\"{}\"), certificate {}", name_of(certificate.role),
            certificate.device.value, party->label, certificate.serial);
  return *party;
}

Bytes Office::coordinator_certificate() const {
  const Party* coordinator = registry_.coordinator();
  return coordinator == nullptr ? Bytes() : coordinator->bytes;
}

Joined Office::joined(const Party& party) const {
  const bool own = party.certificate.role == Role::kCoordinator;
  return {party.bytes, own ? Bytes() : coordinator_certificate(), bundle()};
}

Result<Answer> Office::answer(const Request& request, const TransportPublic& from,
                              std::int64_t now_s) {
  CHECK(in_office());
  TRY(refresh(now_s));
  return std::visit([&](const auto& each) { return on(each, from, now_s); }, request);
}

// A token that was used: its own party may have lost the answer.
Result<Answer> Office::repeat(const Token& token, const Join& join) const {
  const Party* party = registry_.party(*token.device);
  if (party->certificate.keys == join.keys && !party->revoked) return joined(*party);
  return alarm(Code::kRefused,
               party->revoked ? "this token was used, and its party is revoked"
                              : "this token was used by another party: if that was not you, tell "
                                "the operator now, who can revoke it",
               token.terms.label);
}

Result<Answer> Office::on(const Join& join, const TransportPublic& from, std::int64_t now_s) {
  if (join.keys.transport != from || !is_signed(join))
    return alarm(Code::kRefused, "a request whose keys are not its sender's", "?");
  if (auto ownable = check_ownable(join.keys); !ownable)
    return alarm(Code::kRefused, ownable.error().what, "?");
  const Digest hash = token_hash(own_.storage, join.token);
  const Token* token = registry_.token(hash);
  if (token == nullptr)
    return alarm(Code::kRefused, "this token is not of this authority, or was made up", "?");
  const std::string label = token->terms.label;
  if (token->terms.role != join.role)
    return alarm(Code::kRefused,
                 fmt::format("this token lets a {} in, not a {}", name_of(token->terms.role),
                             name_of(join.role)),
                 label);
  if (token->device) return repeat(*token, join);
  if (token->held) {
    if (*token->held == join.keys) return Waiting{};
    return alarm(Code::kRefused,
                 "another party waits for approval with this token: if that was not you, tell the "
                 "operator now",
                 label);
  }
  if (now_s > token->terms.expires_s)
    return alarm(Code::kExpired, "this token has expired; ask the operator for another", label);
  if (registry_.knows_any(join.keys))
    return alarm(Code::kRefused,
                 "these keys have a certificate already, or had one; join with a fresh --dir",
                 label);
  if (registry_.parties().size() >= limits::kCertificatesMax)
    return alarm(Code::kNoSpace, "this authority has as many parties as it can", label);
  if (token->terms.approve_first) {
    TRY(keep(Held{hash, join.keys}));
    log::info("{} {:016x} (\"{}\") waits: freshet authority approve {:016x}", name_of(join.role),
              join.keys.id().value, label, join.keys.id().value);
    return Waiting{};
  }
  TRY_ASSIGN(const Party party, enrol(hash, join.keys, now_s));
  return joined(party);
}

Result<Answer> Office::on(const Rotate& rotate, const TransportPublic& from, std::int64_t now_s) {
  if (rotate.keys.transport != from || !is_signed(rotate))
    return alarm(Code::kRefused, "a rotation whose keys are not its sender's", "?");
  if (auto ownable = check_ownable(rotate.keys); !ownable)
    return alarm(Code::kRefused, ownable.error().what, "?");
  const Party* party = registry_.party_of(rotate.old_key);
  if (party == nullptr)
    return alarm(Code::kRefused, "a rotation of keys without a certificate", "?");
  if (party->revoked)
    return alarm(Code::kRefused, "these keys are revoked and cannot rotate", party->label);
  const Certificate& now = party->certificate;
  if (now.keys == rotate.keys && party->replaced.signing == rotate.old_key) return joined(*party);
  if (now.keys.signing != rotate.old_key)
    return alarm(Code::kRefused, "these keys were replaced before: somebody has a copy of them",
                 party->label);
  if (now_s > now.not_after_s + limits::kClockSlackS)
    return alarm(Code::kExpired, "this certificate has expired; ask the operator for a new token",
                 party->label);
  if (registry_.knows_any(rotate.keys))
    return alarm(Code::kRefused, "the next keys have a certificate already", party->label);
  if (registry_.revocations(now_s).size() >= limits::kRevocationsMax)
    return alarm(Code::kNoSpace, "the revocation list is full", party->label);
  Certificate next = certificate_for(rotate.keys, now.role, now_s);
  next.device = now.device;
  next.enrolled_s = now.enrolled_s;
  next.epoch = now.epoch + 1;
  const NodeId device = now.device;
  TRY(keep(Rotated{issue(next, *issuer_), rotate.by_old, next_list(now_s)}));
  sign_list();
  log::info("{:016x} rotated its keys to epoch {}", device.value, next.epoch);
  return joined(*registry_.party(device));
}

Result<Answer> Office::on(const AskTrust& ask, const TransportPublic&, std::int64_t) {
  const TrustSerial newest{registry_.issuers().back().certificate.epoch, registry_.list().serial};
  return TrustIs{ask.have < newest ? bundle() : Bytes(), coordinator_certificate()};
}

Result<Answer> Office::on(const AskDirectory& ask, const TransportPublic& from,
                          std::int64_t now_s) {
  const Party* party = registry_.party_of(from);
  if (party == nullptr || party->certificate.role != Role::kCoordinator ||
      now_s > party->certificate.not_after_s + limits::kClockSlackS)
    return alarm(Code::kRefused, "the directory is for a certified coordinator alone", "?");
  const auto found = registry_.after(ask.after, Role::kNode, limits::kCertificatesPerPage + 1);
  DirectoryPage page;
  page.more = found.size() > limits::kCertificatesPerPage;
  for (const Party* each : found)
    if (page.certificates.size() < limits::kCertificatesPerPage)
      page.certificates.push_back(each->bytes);
  return page;
}

}  // namespace freshet::authority
