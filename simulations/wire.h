#pragma once
// The real codec and the real seal between simulated parties, each with keys of its own.

#include <vector>

#include "base/rng.h"
#include "protocol/codec.h"
#include "protocol/sealed_update.h"

namespace freshet::sim {

class Wire {
 public:
  explicit Wire(std::size_t nodes);

  // Encoded, signed, verified and decoded. A message of ours that does not survive is a bug.
  NodeMessage pass(std::size_t node, const NodeMessage& message);
  CoordinatorMessage pass(const CoordinatorMessage& message);
  // Random bytes, and a valid frame with one bit turned: neither may decode.
  void pass_garbage(std::size_t node, Rng& rng);

  const Identity& coordinator() const { return coordinator_; }

 private:
  Identity coordinator_;
  std::vector<Identity> nodes_;
  std::uint64_t sequence_ = 0;
};

}  // namespace freshet::sim
