#pragma once
// Joining a fleet and rotating keys, as a person's one command on the machine itself. Both may be
// cut off anywhere and run again: the keys stay, and the same keys get the same certificate.

#include "crypto/certificates/join_token.h"
#include "membership/files.h"

namespace freshet::membership {

struct JoinOptions {
  Path folder;
  Role role = Role::kNode;          // of the command; a token of another role is refused
  std::int64_t wait_ms = 0;         // for an operator's approval
  std::int64_t answer_ms = 15'000;  // for any answer at all
  int stop = -1;                    // a descriptor that becomes readable when waiting shall end
};

// Makes the keys when they are not there, asks for the certificate, checks all that comes against
// the token's root, and writes it down. kRefused: the token's time or use is over, another fleet's
// folder. kUnavailable: no answer, or approval is still awaited.
Result<Membership> join(const JoinToken& token, const JoinOptions& options);

// The next keys, certified by the authority on the word of those in use, which end with it.
Result<Membership> rotate_keys(const JoinOptions& options);
// What a rotation that was cut off left to do. Before a daemon loads its keys.
Result<void> settle_rotation(const Path& folder);

}  // namespace freshet::membership
