#pragma once
// The state of an authority: what its records add up to. Pure; the same records give the same
// registry, and a record that does not fit what is there is an error (a journal of another
// authority, or a bug).

#include <map>
#include <optional>

#include "authority/records.h"

namespace freshet::authority {

struct Token {
  Invited terms;
  std::optional<PublicIdentity> held;  // by whom, while approval is awaited
  std::optional<NodeId> device;        // who used it
};

struct Party {
  std::string label;
  Certificate certificate;  // the newest
  Bytes bytes;              // of it
  PublicIdentity replaced;  // the keys before its last rotation
  bool revoked = false;
};

class Registry {
 public:
  Result<void> apply(const Record& record);

  const std::optional<SigningPublic>& root() const { return root_; }
  const std::vector<Issuer>& issuers() const { return issuers_; }
  const ListHead& list() const { return list_; }
  // Devices whose older certificates could still be shown at `now_s`.
  std::vector<Revocation> revocations(std::int64_t now_s) const;
  std::uint64_t next_serial() const { return next_serial_; }

  const Token* token(const Digest& hash) const;
  const std::map<Digest, Token>& tokens() const { return tokens_; }
  const std::map<NodeId, Party>& parties() const { return parties_; }  // by device
  const Party* party(NodeId device) const;
  const Party* party_of(const TransportPublic& key) const;  // of a certificate in force
  const Party* party_of(const SigningPublic& key) const;    // of any certificate ever given
  bool knows_any(const PublicIdentity& keys) const;         // one of the three was certified before
  // Newest certificates of a role by rising serial, above `after`.
  std::vector<const Party*> after(std::uint64_t after, Role role, std::size_t count_max) const;
  const Party* coordinator() const;  // the one that enrolled or rotated last and is not revoked

 private:
  struct Killed {  // of a device: certificates below `least_epoch`, the last of which ends then
    std::uint32_t least_epoch = 0;
    std::int64_t until_s = 0;
  };
  Result<void> on(const Founded& record);
  Result<void> on(const IssuerAdded& record);
  Result<void> on(const ListHead& record);
  Result<void> on(const Invited& record);
  Result<void> on(const Held& record);
  Result<void> on(const Enrolled& record);
  Result<void> on(const Rotated& record);
  Result<void> on(const Revoked& record);
  void know(const Certificate& certificate);

  std::optional<SigningPublic> root_;
  std::vector<Issuer> issuers_;
  ListHead list_;
  std::map<NodeId, Killed> killed_;
  std::map<Digest, Token> tokens_;
  std::map<NodeId, Party> parties_;
  std::map<std::array<std::uint8_t, 32>, NodeId> keys_;  // all public keys ever certified
  std::map<TransportPublic, NodeId> in_force_;
  std::map<std::uint64_t, NodeId> by_serial_;  // newest certificates
  std::uint64_t next_serial_ = 1;
};

}  // namespace freshet::authority
