#pragma once
// What an authority remembers, as the entries of its journal: each is one synced write, so that
// what belongs together (a token used up, a certificate given for it) is there whole or not at all.
// Of a token only its keyed hash is ever here.

#include <string>
#include <variant>

#include "crypto/certificates/trust.h"

namespace freshet::authority {

struct Founded {  // first of all
  SigningPublic root;
  bool operator==(const Founded&) const = default;
};
struct IssuerAdded {  // and in office from now on
  Bytes certificate;
  bool revokes_others = false;  // those before it are believed no more
  bool operator==(const IssuerAdded&) const = default;
};
struct ListHead {  // of the revocation list; its entries follow from the other records
  std::uint64_t serial = 0;
  std::int64_t issued_s = 0, expires_s = 0;
  bool operator==(const ListHead&) const = default;
};
struct Invited {
  Digest token{};  // its keyed hash
  Role role = Role::kNode;
  std::string label;
  std::int64_t expires_s = 0;
  bool approve_first = false;
  bool operator==(const Invited&) const = default;
};
struct Held {  // the token came, its party waits for approval
  Digest token{};
  PublicIdentity keys;
  bool operator==(const Held&) const = default;
};
struct Enrolled {  // the token is used up, the certificate is given
  Digest token{};
  Bytes certificate;
  bool operator==(const Enrolled&) const = default;
};
struct Rotated {  // the certificate before it is replaced
  Bytes certificate;
  Signature by_old{};  // of the keys that it replaces
  ListHead list;
  bool operator==(const Rotated&) const = default;
};
struct Revoked {
  NodeId device;
  ListHead list;
  bool operator==(const Revoked&) const = default;
};

using Record =
    std::variant<Founded, IssuerAdded, ListHead, Invited, Held, Enrolled, Rotated, Revoked>;

Bytes encode(const Record& record);
Result<Record> decode_record(ByteView bytes);  // kCorrupt: it is our own journal

}  // namespace freshet::authority
