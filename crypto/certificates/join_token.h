#pragma once
// What a person carries to a new machine: one line that says where the authority and the
// coordinator are, pins both the authority's transport key and the root key, and holds the secret
// that lets one party in, once. Whoever has the line can join with it: treat it as a password.

#include <string>

#include "crypto/certificates/certificate.h"

namespace freshet {

struct JoinToken {
  Role role = Role::kNode;
  Secret secret;               // 32 random bytes
  Digest root{};               // root_digest() of the root key
  TransportPublic authority;   // its transport key
  std::string authority_at;    // "tcp://HOST:PORT"
  std::string coordinator_at;  // the same; empty in a coordinator's own token
};

// "freshet-join-1:" and base64, with a check of 4 bytes.
Secret join_token_text(const JoinToken& token);
// kBadInput says what a person did to the line: cut it, changed it, took another one.
Result<JoinToken> join_token_from_text(std::string_view text);

// BLAKE2b-256 of the secret, keyed with the authority's pepper: what the authority keeps of a
// token.
Digest token_hash(const Secret& pepper, ByteView secret);

}  // namespace freshet
