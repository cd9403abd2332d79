#pragma once
// An authority at work: it makes tokens, turns each into one certificate, rotates and revokes, and
// signs the revocation list. Everything is durable before anybody hears of it. For one thread; time
// is an argument, seconds since 1970.

#include <memory>

#include "authority/registry.h"
#include "crypto/key_file.h"
#include "protocol/authority_messages.h"
#include "storage/journal.h"

namespace freshet::authority {

struct Terms {  // of what the office signs
  std::int64_t certificate_s = 365LL * 86'400;
  std::int64_t list_s = 7LL * 86'400;  // a new list is signed when half of it is over
};

struct Invitation {
  Role role = Role::kNode;
  std::string label;
  std::int64_t valid_s = 24 * 3600;
  bool approve_first = false;
  std::string authority_at, coordinator_at;
};

class Office {
 public:
  // Signs with the issuer in office, whose identity `issuer` is; `own` is the authority's: its
  // transport key is in tokens, its storage key hashes them. kCorrupt: the journal does not fit.
  static Result<std::unique_ptr<Office>> open(Journal& journal, KeyRing own, Terms terms);

  // Once, or for a successor: `issuer` was certified by the root. REQUIRES: found() before others.
  Result<void> found(const SigningPublic& root);
  Result<void> add_issuer(ByteView certificate, Identity issuer, bool revokes_others,
                          std::int64_t now_s);
  // After open(), with the keys of the issuer in office. kRefused: not its keys.
  Result<void> take_office(Identity issuer);

  Result<JoinToken> invite(const Invitation& invitation, std::int64_t now_s);
  Result<std::size_t> approve(NodeId device, std::int64_t now_s);  // kBadInput: nobody such waits
  Result<void> revoke(NodeId device, std::int64_t now_s);          // by the id of device or keys

  // What a party asked, answered; `from` is the transport key that the channel authenticated. An
  // error is the journal's and ends the process; what the party did wrong is the answer.
  Result<Answer> answer(const Request& request, const TransportPublic& from, std::int64_t now_s);

  // Signs a fresh list when half of the time of the last one is over.
  Result<void> refresh(std::int64_t now_s);

  const Registry& registry() const { return registry_; }
  const TransportPublic& transport() const { return own_.identity.open.transport; }
  const Identity& identity() const { return own_.identity; }
  Bytes bundle() const;  // REQUIRES: an issuer in office
  bool in_office() const { return issuer_.has_value(); }

 private:
  Office(Journal& journal, KeyRing own, Terms terms);
  Result<void> keep(const Record& record);
  Result<Answer> on(const Join& join, const TransportPublic& from, std::int64_t now_s);
  Result<Answer> on(const Rotate& rotate, const TransportPublic& from, std::int64_t now_s);
  Result<Answer> on(const AskTrust& ask, const TransportPublic& from, std::int64_t now_s);
  Result<Answer> on(const AskDirectory& ask, const TransportPublic& from, std::int64_t now_s);
  Result<Answer> repeat(const Token& token, const Join& join) const;
  Result<Party> enrol(const Digest& token, const PublicIdentity& keys, std::int64_t now_s);
  Certificate certificate_for(const PublicIdentity& keys, Role role, std::int64_t now_s) const;
  ListHead next_list(std::int64_t now_s) const;
  void sign_list();
  Joined joined(const Party& party) const;
  Bytes coordinator_certificate() const;

  Journal& journal_;
  KeyRing own_;
  Terms terms_;
  Registry registry_;
  std::optional<Identity> issuer_;
  Bytes list_;  // signed
};

}  // namespace freshet::authority
