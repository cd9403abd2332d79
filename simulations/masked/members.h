#pragma once
// Who the nodes of a simulated masked campaign are: identities, certificates of an authority, and
// keys for each round. Two nodes of one process agree on a secret once instead of once each.

#include <memory>
#include <vector>

#include "crypto/certificates/trust.h"
#include "crypto/secagg/round_keys.h"

namespace freshet::sim {

inline constexpr std::int64_t kNowS = 1'800'000'000;  // of the calendar, in a simulation

class Members {
 public:
  // Node i has the i-th lowest id, so that places in a roster follow the nodes' own order.
  // `revoked` have certificates that the authority took back.
  Members(std::size_t nodes, const std::vector<std::size_t>& revoked);
  ~Members();

  const Identity& node(std::size_t index) const { return nodes_[index]; }
  const Bytes& certificate(std::size_t index) const { return certificates_[index]; }
  const Identity& coordinator() const { return coordinator_; }
  const std::shared_ptr<const Trust>& trust() const { return trust_; }
  const Bytes& bundle() const { return bundle_; }  // what trust() was read from
  secagg::RoundKeys make_keys() const;
  secagg::Seams seams() const;

 private:
  struct Agreements;
  std::vector<Identity> nodes_;
  std::vector<Bytes> certificates_;
  Identity coordinator_;
  Bytes bundle_;
  std::shared_ptr<const Trust> trust_;
  std::shared_ptr<Agreements> agreements_;
};

}  // namespace freshet::sim
