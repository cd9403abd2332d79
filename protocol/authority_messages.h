#pragma once
// What an authority and the parties of its fleet say to each other, as plain structs and as frames:
// "FRA1", u8 kind, u64 number of the request (an answer bears its request's), then the fields in
// the order below (base/fields.h). The channel is CURVE to the authority's pinned transport key, so
// frames carry no signature of their own; what lasts (certificates, bundles) is signed, and so is
// who asks for a certificate.

#include <variant>
#include <vector>

#include "crypto/certificates/join_token.h"
#include "crypto/certificates/trust.h"

namespace freshet::authority {

// ---- to the authority

struct Join {   // one token, one party
  Bytes token;  // the 32 secret bytes: the channel is encrypted
  Role role = Role::kNode;
  PublicIdentity keys;
  Signature signature{};  // of keys.signing: whoever asks owns what it asks for
  bool operator==(const Join&) const = default;
};
struct Rotate {  // from the keys of a certificate to the next ones
  SigningPublic old_key;
  PublicIdentity keys;
  Signature by_old{}, by_new{};
  bool operator==(const Rotate&) const = default;
};
struct AskTrust {  // the newest bundle, if it is newer
  TrustSerial have;
  bool operator==(const AskTrust&) const = default;
};
struct AskDirectory {  // the nodes' certificates of a serial above `after`; coordinators only
  std::uint64_t after = 0;
  bool operator==(const AskDirectory&) const = default;
};

// ---- from the authority

struct Joined {  // for Join and Rotate: the same again however often it is asked with the same keys
  Bytes certificate;
  Bytes coordinator;  // its certificate; empty while there is none, or for a coordinator
  Bytes bundle;
  bool operator==(const Joined&) const = default;
};
struct Waiting {  // for `freshet authority approve`
  bool operator==(const Waiting&) const = default;
};
struct TrustIs {
  Bytes bundle;       // empty: what the asker has is the newest
  Bytes coordinator;  // its newest certificate; empty while there is none
  bool operator==(const TrustIs&) const = default;
};
struct DirectoryPage {
  std::vector<Bytes> certificates;  // rising serials, at most limits::kCertificatesPerPage
  bool more = false;
  bool operator==(const DirectoryPage&) const = default;
};
struct Denied {
  Code code = Code::kRefused;
  std::string why;
  bool operator==(const Denied&) const = default;
};

using Request = std::variant<Join, Rotate, AskTrust, AskDirectory>;
using Answer = std::variant<Joined, Waiting, TrustIs, DirectoryPage, Denied>;

// Under what a party signs its wish for a certificate.
Join make_join(const Secret& token, Role role, const Identity& party);
bool is_signed(const Join& join);
Rotate make_rotate(const Identity& now, const Identity& next);
bool is_signed(const Rotate& rotate);

Bytes encode(const Request& request, std::uint64_t number);
Bytes encode(const Answer& answer, std::uint64_t number);

template <class Message>
struct Numbered {
  std::uint64_t number = 0;
  Message message;
};
// kBadInput: malformed.
Result<Numbered<Request>> decode_request(ByteView frame);
Result<Numbered<Answer>> decode_answer(ByteView frame);

}  // namespace freshet::authority
