#pragma once
// That who advertises a cipher key knows its secret (Schnorr 1991 over ristretto255, with the
// challenge of Fiat and Shamir over the sid, the owner and the whole advert). Without it a member
// could advertise a key made of another's, and what an honest neighbour shows with a complaint
// would be what that neighbour agreed on with the other.

#include "crypto/secagg/sealed_share.h"

namespace freshet::secagg {

struct Claim {
  const Sid& sid;
  const SigningPublic& owner;
  const Advert& advert;  // but for its proof
};

// REQUIRES: claim.advert.cipher is cipher_public(scalar).
Possession prove_possession(KeyView scalar, const Claim& claim, const FillSecret& fill);
// false as well where the cipher key is no point of the group, or its identity.
bool proves_possession(const Claim& claim);

// kBadInput: a key that nobody can own or that is not shown to be the owner's, or one value in two
// uses.
Result<void> check_claim(const Claim& claim);

}  // namespace freshet::secagg
