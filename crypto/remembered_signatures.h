#pragma once
// While one lives, this thread remembers which signatures are good, so that checking one again
// costs a hash. For simulations, in which a thousand nodes of one process check the same
// signatures.

namespace freshet {

class RememberSignatures {
 public:
  RememberSignatures();
  ~RememberSignatures();
  RememberSignatures(const RememberSignatures&) = delete;
  RememberSignatures& operator=(const RememberSignatures&) = delete;
};

}  // namespace freshet
