#pragma once
// What one node wants done to all that is not its own: kept while its event happens, next to those
// of other nodes, and handed over to be done when theirs are over.

#include "simulations/coordinator_process.h"

namespace freshet::sim {

class Afterwards {
 public:
  explicit Afterwards(const Stage& stage) : stage_(stage) {}

  // deed(stage). It holds copies: what it speaks of may have changed by then.
  template <class Deed>
  void operator()(Deed deed) {
    deeds_.push_back([this, deed = std::move(deed)] { deed(stage_); });
  }
  Deeds take() { return std::exchange(deeds_, {}); }

 private:
  const Stage stage_;
  Deeds deeds_;
};

}  // namespace freshet::sim
