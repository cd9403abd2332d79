#pragma once
// While one lives, this process remembers which signatures are good, so that checking one again
// costs a hash. For simulations, in which a thousand nodes of one process check the same
// signatures. One at a time.

#include "base/bytes.h"

namespace freshet {

class RememberSignatures {
 public:
  RememberSignatures();
  ~RememberSignatures();
  RememberSignatures(const RememberSignatures&) = delete;
  RememberSignatures& operator=(const RememberSignatures&) = delete;
};

// For who checks something beside signatures: whether this very statement was found good while one
// lives, and that it was. Nothing without one.
bool is_remembered(const Bytes& statement);
void remember_good(const Bytes& statement);

}  // namespace freshet
